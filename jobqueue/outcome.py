"""What becomes of a job, as values, and the one rule that decides it."""

from dataclasses import dataclass

from jobqueue.errors import BadJobError, Bury

KICKS_REACH_MAX = "Kicks reach max"


@dataclass(frozen=True, slots=True)
class JobStats:
    """What the broker counts of a job (protocol.txt, "stats-job")."""

    tube: str
    priority: int
    ttr: int  # seconds
    reserves: int
    kicks: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """The job is gone: it is done, or it failed once too often."""


@dataclass(frozen=True, slots=True)
class Buried:
    """The job is set aside, with the priority it had, until an operator kicks it."""

    priority: int


Outcome = Deleted | Buried

DONE = Deleted()


def decide(error: BaseException, stats: JobStats, max_kicks: int | None) -> Outcome:
    """Decide what becomes of a job that failed.

    A job that can't be run, or whose task raised :class:`~jobqueue.errors.Bury`, is
    buried whatever its history. Any other failure buries it too, until operators have
    kicked it ``max_kicks`` times in vain (None: for ever); then it is deleted.
    """
    if isinstance(error, BadJobError | Bury):
        return Buried(stats.priority)
    if max_kicks is not None and stats.kicks >= max_kicks:
        return Deleted()
    return Buried(stats.priority)
