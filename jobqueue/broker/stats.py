"""What beanstalkd tells of jobs, tubes and itself, as values."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

_KEYS_OF_JOB = [
    "id:",
    "tube:",
    "state:",
    "pri:",
    "age:",
    "delay:",
    "ttr:",
    "time-left:",
    "file:",
    "reserves:",
    "timeouts:",
    "releases:",
    "buries:",
    "kicks:",
]


class JobStats(NamedTuple):
    """What the broker counts of a job (protocol.txt, "stats-job")."""

    tube: str
    priority: int
    delay: int  # seconds, of its last put or release
    ttr: int  # seconds
    reserves: int
    releases: int
    buries: int
    kicks: int

    @property
    def allowances(self) -> int:
        """How many times the job has its limits: once, and once more for each kick."""
        return self.kicks + 1

    @property
    def lost(self) -> int:
        """How many reservations have ended without a verdict, while there is one now.

        The worker was killed, or crashed, or froze, or lost its connection.
        """
        return self.reserves - 1 - self.releases - self.buries


class JobState(enum.StrEnum):
    """Where a job is in its life (protocol.txt, "Job Lifecycle")."""

    READY = "ready"
    DELAYED = "delayed"
    RESERVED = "reserved"
    BURIED = "buried"


@dataclass(slots=True)  # not frozen, as that would take three times as long to make
class JobRecord:
    """One job: beanstalkd's answer to stats-job. Times are in seconds."""

    id: int
    tube: str
    state: str
    priority: int
    age: int
    delay: int  # that of the last put or release
    ttr: int
    time_left: int  # until a delayed job is ready, or a reserved one's ttr is over
    reserves: int
    timeouts: int
    releases: int
    buries: int
    kicks: int

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read an answer. It is YAML of one ``key: value`` a line after the first."""
        words = chunk.decode("ascii").split()
        keys, values = words[1::2], words[2::2]
        if keys != _KEYS_OF_JOB:  # of another version
            stats = dict(zip(keys, values, strict=True))
            values = [stats.get(key, "0") for key in _KEYS_OF_JOB]
        job_id, tube, state, *numbers = values
        priority, age, delay, ttr, time_left, _file, *counts = map(int, numbers)
        return cls(
            int(job_id), tube, state, priority, age, delay, ttr, time_left, *counts
        )

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints, body aside."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class TubeStats:
    """One tube: beanstalkd's answer to stats-tube."""

    tube: str
    ready: int
    delayed: int
    reserved: int
    buried: int
    urgent: int  # of the ready ones, those of a priority below 1024
    watching: int  # connections that reserve from it
    waiting: int  # those of them that wait for a job now
    puts: int  # since the server started, or the tube came to be
    deletes: int
    paused: int  # seconds left

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read an answer."""
        stats = parse_lines(chunk)
        return cls(
            tube=stats["name"],
            ready=int(stats["current-jobs-ready"]),
            delayed=int(stats["current-jobs-delayed"]),
            reserved=int(stats["current-jobs-reserved"]),
            buried=int(stats["current-jobs-buried"]),
            urgent=int(stats["current-jobs-urgent"]),
            watching=int(stats["current-watching"]),
            waiting=int(stats["current-waiting"]),
            puts=int(stats["total-jobs"]),
            deletes=int(stats["cmd-delete"]),
            paused=int(stats["pause-time-left"]),
        )

    def count(self, states: Iterable[JobState]) -> int:
        """Return how many jobs are in one of these states."""
        return sum(int(getattr(self, state)) for state in states)

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ServerStats:
    """The server itself: beanstalkd's answer to stats.

    It does not tell how much memory it uses.
    """

    version: str
    uptime: int  # seconds
    pid: int
    hostname: str
    has_binlog: bool
    binlog_files: int
    is_draining: bool
    max_job_size: int  # bytes
    ready: int
    delayed: int
    reserved: int
    buried: int
    connections: int
    workers: int  # connections that have reserved
    waiting: int
    puts: int  # put commands since it started, refused ones too
    jobs: int  # jobs put since it started
    deletes: int
    timeouts: int
    cpu_seconds: float

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read an answer."""
        stats = parse_lines(chunk)
        oldest = int(stats["binlog-oldest-index"])
        current = int(stats["binlog-current-index"])
        return cls(
            version=stats["version"].strip('"'),
            uptime=int(stats["uptime"]),
            pid=int(stats["pid"]),
            hostname=stats.get("hostname", "").strip('"'),
            has_binlog=current > 0,
            binlog_files=current - oldest + 1 if current else 0,
            is_draining=stats.get("draining") == "true",
            max_job_size=int(stats["max-job-size"]),
            ready=int(stats["current-jobs-ready"]),
            delayed=int(stats["current-jobs-delayed"]),
            reserved=int(stats["current-jobs-reserved"]),
            buried=int(stats["current-jobs-buried"]),
            connections=int(stats["current-connections"]),
            workers=int(stats["current-workers"]),
            waiting=int(stats["current-waiting"]),
            puts=int(stats["cmd-put"]),
            jobs=int(stats["total-jobs"]),
            deletes=int(stats["cmd-delete"]),
            timeouts=int(stats["job-timeouts"]),
            cpu_seconds=float(stats["rusage-utime"]) + float(stats["rusage-stime"]),
        )

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


def parse_lines(chunk: bytes) -> Mapping[str, str]:
    """Return the values of YAML that may have spaces in them, by key."""
    lines = chunk.decode(errors="replace").splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)
