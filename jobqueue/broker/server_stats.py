"""TubeStats and ServerStats: beanstalkd's counts of a tube, and of itself.

They are apart from JobStats, as workers and most producers need neither.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

from jobqueue.broker.stats import JobState
from jobqueue.broker.stats_reply import StatsReply


class TubeStats(NamedTuple):
    """One tube: the reply to ``stats-tube``."""

    tube: str
    ready: int
    delayed: int
    reserved: int
    buried: int
    urgent: int  # ready jobs of a priority below 1024
    watching: int  # connections that reserve from the tube
    waiting: int  # those of them that wait for a job now
    puts: int  # since the server started, or the tube was created
    deletes: int
    paused: int  # seconds left
    # Of the notes about its jobs, which are in tubes of their own: see job/note.py
    failures_noted: int = 0  # of jobs that were buried, or deleted for their kicks
    failures: int = 0  # noted since the server started, with those of retries

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read a reply. Raises ``ValueError``."""
        values = StatsReply.parse(chunk)
        return cls(
            tube=values.tube("name"),
            ready=values.number("current-jobs-ready"),
            delayed=values.number("current-jobs-delayed"),
            reserved=values.number("current-jobs-reserved"),
            buried=values.number("current-jobs-buried"),
            urgent=values.number_or_0("current-jobs-urgent"),
            watching=values.number_or_0("current-watching"),
            waiting=values.number_or_0("current-waiting"),
            puts=values.number_or_0("total-jobs"),
            deletes=values.number_or_0("cmd-delete"),
            paused=max(0, values.signed_or_0("pause-time-left")),
        )

    def jobs_in(self, states: Iterable[JobState]) -> int:
        """Return how many jobs are in one of these states."""
        return sum(int(getattr(self, state)) for state in states)

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return self._asdict()


class ServerStats(NamedTuple):
    """The server itself: the reply to ``stats``.

    beanstalkd does not say how much memory it uses.
    """

    version: str
    uptime: int  # seconds
    pid: int
    hostname: str
    has_binlog: bool
    binlog_files: int
    is_draining: bool | None  # None before 1.12, which does not say
    max_job_size: int  # bytes
    ready: int
    delayed: int
    reserved: int
    buried: int
    connections: int
    workers: int  # connections that have reserved
    waiting: int
    puts: int  # put commands since the server started, refused ones too
    jobs: int  # jobs put since the server started
    deletes: int
    timeouts: int
    cpu_seconds: float
    failures_noted: int = 0  # in all tubes: see TubeStats
    binlog_size: int = 0  # bytes of its files, if each has the size set now (-s)
    binlog_excess: int = 0  # bytes of that which no number of jobs explains: see below

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read a reply. Raises ``ValueError``."""
        values = StatsReply.parse(chunk)
        oldest = values.number_or_0("binlog-oldest-index")
        current = values.number("binlog-current-index")
        files = current - oldest + 1 if current else 0
        file_size = values.number_or_0("binlog-max-size")
        return cls(
            version=values.text("version"),
            uptime=values.number("uptime"),
            pid=values.number_or_0("pid"),
            hostname=values.text("hostname"),
            has_binlog=current > 0,
            binlog_files=files,
            is_draining=_DRAINING.get(values.text("draining")),
            max_job_size=values.number("max-job-size"),
            ready=values.number("current-jobs-ready"),
            delayed=values.number("current-jobs-delayed"),
            reserved=values.number("current-jobs-reserved"),
            buried=values.number("current-jobs-buried"),
            connections=values.number_or_0("current-connections"),
            workers=values.number_or_0("current-workers"),
            waiting=values.number_or_0("current-waiting"),
            puts=values.number("cmd-put"),
            jobs=values.number_or_0("total-jobs"),
            deletes=values.number_or_0("cmd-delete"),
            timeouts=values.number_or_0("job-timeouts"),
            cpu_seconds=values.seconds("rusage-utime") + values.seconds("rusage-stime"),
            binlog_size=files * file_size,
            binlog_excess=max(0, files * file_size - _most_needed(values, file_size)),
        )

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return self._asdict()


def _most_needed(values: StatsReply, file_size: int) -> int:
    """Return the bytes that a binlog has at the most, for the jobs that exist now.

    beanstalkd copies the records of living jobs, of all states, out of the oldest file,
    and drops the file, once the binlog has twice the size of these records. But among
    them it counts each release, burial and kick of a living job. So only those make a
    binlog larger than this.
    """
    jobs = sum(values.number(f"current-jobs-{state}") for state in JobState)
    largest = values.number("max-job-size") + _RECORD
    return 2 * jobs * largest + _SPARE_FILES * file_size


_RECORD = 500  # bytes beside a job's body, with the longest name of a tube
_SPARE_FILES = 4  # the one that is written, one made in advance, and two to be dropped
_DRAINING = {"true": True, "false": False}
