"""JobStats: beanstalkd's counts of one job."""

import enum
import functools
import re
from typing import NamedTuple, Self

from jobqueue.broker.replies import id_of
from jobqueue.broker.stats_reply import StatsReply


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

        In each, the worker was killed, crashed, froze, or lost its connection; or it
        had the job waiting, and never began to run it.

        With a binlog, beanstalkd counts a burial again when it restarts. So burials
        count only as far as there are kicks: a job that was buried has been kicked.
        """
        buries = min(self.buries, self.kicks)
        return self.reserves - 1 - self.releases - buries

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
        values = StatsReply.parse(chunk)
        return cls(
            id=id_of(values.needed("id")),
            tube=values.tube("tube"),
            state=_state_of(values.needed("state")),
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


def _state_of(word: bytes) -> JobState:
    if word in _STATES:
        return _STATES[word]
    raise ValueError(f"{word[:50]!r} instead of a job's state")


_USUAL_JOB = rb"""---
id: (\d{1,20})
tube: ("?)([-A-Za-z0-9+/;.$_()]{1,200})\2
state: (ready|delayed|reserved|buried)
pri: (\d{1,20})
age: (-?\d{1,20})
delay: (\d{1,20})
ttr: (\d{1,20})
time-left: (-?\d{1,20})
file: \d{1,20}
reserves: (\d{1,20})
timeouts: (\d{1,20})
releases: (\d{1,20})
buries: (\d{1,20})
kicks: (\d{1,20})
"""


@functools.cache  # compiling takes half a millisecond, and most workers never need it
def _usual_job() -> re.Pattern[bytes]:
    """Return the pattern of the replies of beanstalkd 1.11 to 1.13.

    With the pattern, a reply is read in a third of the time.
    """
    return re.compile(_USUAL_JOB)
