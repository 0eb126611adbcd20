"""Records of beanstalkd's counts of jobs, tubes and itself, and their one parser.

A reply to a ``stats`` command is YAML: a line of ``---``, then a ``key: value`` on each
line. beanstalkd 1.13 puts strings in quotes; 1.12 does so only with its version. The
key says whether a value is a number or a string: a tube named ``007`` stays a name.
"""

import enum
import functools
import re
from collections.abc import Iterable
from typing import NamedTuple, Self

from jobqueue.broker.replies import id_of, number_of


class JobState(enum.StrEnum):
    """Where a job is in its life (protocol.txt, "Job Lifecycle")."""

    READY = "ready"
    DELAYED = "delayed"
    RESERVED = "reserved"
    BURIED = "buried"


class JobStats(NamedTuple):
    """One job: the reply to ``stats-job``. Times are in seconds.

    A tuple, as tuples are made fastest: a search makes one for each of its jobs.
    """

    id: int
    tube: str
    state: JobState
    priority: int
    age: int
    delay: int  # of the last put or release
    ttr: int
    time_left: int  # of a delay or of a ttr; below 0: beanstalkd has forgotten its end
    reserves: int
    timeouts: int
    releases: int
    buries: int
    kicks: int

    @property
    def allowances(self) -> int:
        """How many times the job has its limits: once, and once more for each kick."""
        return self.kicks + 1

    @property
    def lost(self) -> int:
        """How many earlier reservations of a reserved job ended without an outcome.

        In each, the worker was killed, crashed, froze, or lost its connection.
        """
        return self.reserves - 1 - self.releases - self.buries

    @property
    def overdue(self) -> int:
        """For how many seconds a reserved job is past its time to run; else 0.

        beanstalkd up to 1.13 often misses the end of a job's time to run. The job then
        stays reserved until its connection sends a command or ends, and its time left
        falls below 0.
        """
        return max(0, -self.time_left) if self.state is JobState.RESERVED else 0

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read a reply. Raises ``ValueError``."""
        usual = _usual_job().fullmatch(chunk)
        if usual:
            job_id, _quote, tube, state, *numbers = usual.groups()
            return cls(
                id_of(job_id), tube.decode("ascii"), _STATES[state], *map(int, numbers)
            )
        values = _Values.parse(chunk)
        return cls(
            id=id_of(values.needed("id")),
            tube=values.needed("tube").decode("ascii"),
            state=JobState(values.needed("state").decode("ascii")),
            priority=values.number("pri"),
            age=values.signed_or_0("age"),
            delay=values.number("delay"),
            ttr=values.number("ttr"),
            time_left=values.signed_or_0("time-left"),
            reserves=values.number("reserves"),
            timeouts=values.number_or_0("timeouts"),
            releases=values.number("releases"),
            buries=values.number("buries"),
            kicks=values.number("kicks"),
        )

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints, but for the body."""
        return self._asdict()


_STATES = {state.encode(): state for state in JobState}


_USUAL_JOB = rb"""---
id: (\d+)
tube: ("?)([^"\s]+)\2
state: (ready|delayed|reserved|buried)
pri: (\d+)
age: (-?\d+)
delay: (\d+)
ttr: (\d+)
time-left: (-?\d+)
file: \d+
reserves: (\d+)
timeouts: (\d+)
releases: (\d+)
buries: (\d+)
kicks: (\d+)
"""


@functools.cache  # compiling takes half a millisecond, and most workers never need it
def _usual_job() -> re.Pattern[bytes]:
    """Return the pattern of the replies of beanstalkd 1.11 to 1.13.

    With the pattern, a reply is read in a third of the time.
    """
    return re.compile(_USUAL_JOB)


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

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read a reply. Raises ``ValueError``."""
        values = _Values.parse(chunk)
        return cls(
            tube=values.needed("name").decode("ascii"),
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

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read a reply. Raises ``ValueError``."""
        values = _Values.parse(chunk)
        oldest = values.number_or_0("binlog-oldest-index")
        current = values.number("binlog-current-index")
        return cls(
            version=values.text("version"),
            uptime=values.number("uptime"),
            pid=values.number_or_0("pid"),
            hostname=values.text("hostname"),
            has_binlog=current > 0,
            binlog_files=current - oldest + 1 if current else 0,
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
        )

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return self._asdict()


_DRAINING = {"true": True, "false": False}


def parse_names(chunk: bytes) -> list[str]:
    """Return the names in a reply to ``list-tubes``. Raises ``ValueError``."""
    head, *lines = chunk.removesuffix(b"\n").split(b"\n")
    if head != b"---" or not all(line.startswith(b"- ") for line in lines):
        raise ValueError("no list of names")
    return [_unquoted(line[2:]).decode("ascii") for line in lines]


class _Values(dict[str, bytes]):
    """The values of a reply by their keys, unquoted.

    No decision depends on a number that is read with ``number_or_0``: the number may be
    missing in the replies of some version.
    """

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        lines = (line.partition(b": ") for line in chunk.split(b"\n"))
        return cls(
            (key.decode("ascii"), _unquoted(value))
            for key, colon, value in lines
            if colon
        )

    def needed(self, key: str) -> bytes:
        if key in self:
            return self[key]
        raise ValueError(f"no {key!r} in it")

    def number(self, key: str) -> int:
        return number_of(self.needed(key))

    def number_or_0(self, key: str) -> int:
        return number_of(self.get(key, b"0"))

    def signed_or_0(self, key: str) -> int:
        """Return a time: below 0 if its end has passed, or the clock was set."""
        number = self.get(key, b"0")
        sign = -1 if number.startswith(b"-") else 1
        return sign * number_of(number.removeprefix(b"-"))

    def seconds(self, key: str) -> float:
        return float(self.get(key, b"0"))

    def text(self, key: str) -> str:
        return self.get(key, b"").decode(errors="replace")


def _unquoted(value: bytes) -> bytes:
    if len(value) > 1 and value.startswith(b'"') and value.endswith(b'"'):
        return re.sub(rb'\\(["\\])', rb"\1", value[1:-1])
    return value
