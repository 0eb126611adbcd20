"""The decision on a job that a worker has dealt with, and how the job has ended."""

import enum
from typing import NamedTuple

from jobqueue.broker.settlement import DONE, Buried, Deleted, Outcome, Released
from jobqueue.broker.stats import JobStats
from jobqueue.errors import BadJobError, TimeLimitExceeded
from jobqueue.job.expiry import Expired
from jobqueue.job.groups import errors_in
from jobqueue.job.outcome import Bury, RetryPolicy, RunLater, decide


class Ending(enum.IntEnum):
    """How a job's run has ended, as logs and metrics call it."""

    DONE = 0
    RELEASED = 1
    BURIED = 2
    KICKS_REACH_MAX = 3  # deleted, though it failed
    LOST = 4  # no outcome reached the broker in time: it may run twice
    EXPIRED = 5  # deleted, as it was too old to begin


FINAL = frozenset({Ending.BURIED, Ending.KICKS_REACH_MAX})


class Decision(NamedTuple):
    """The outcome decided for a job, and the facts that it was decided on."""

    outcome: Outcome | None  # None: the reservation was lost
    ending: Ending | None  # None: put back for a moment, not ended
    error: BaseException | None = None  # of a failed job
    stats: JobStats | None = None  # of a failed job
    policy: RetryPolicy = RetryPolicy()


_PAUSE_AFTER_SIGNAL = 1  # seconds: until then, the worker that stops has no slot left

SUCCEEDED = Decision(DONE, Ending.DONE)
RESERVATION_LOST = Decision(None, Ending.LOST)

# Of jobs that failed: only their last kick makes one of these be deleted.
_ENDINGS: dict[type[Outcome], Ending] = {
    Released: Ending.RELEASED,
    Buried: Ending.BURIED,
    Deleted: Ending.KICKS_REACH_MAX,
}


def decide_on_failure(
    error: BaseException, stats: JobStats, policy: RetryPolicy
) -> Decision:
    """Return the decision on a failed job, by the rule of :func:`decide`.

    If the task's own ``backoff`` raises an error, the job is buried with that.
    """
    outcome: Outcome
    if type(error) is Expired:
        return Decision(Deleted(), Ending.EXPIRED, error, stats, policy)
    try:
        outcome = decide(error, stats, policy)
    except Exception as broken:  # noqa: BLE001 - backoff may be a function of the app's
        broken.__cause__ = error
        error, outcome = broken, Buried(stats.priority)
    # type(), not isinstance(), which may run code of a task's own error.
    ending = None if type(error) is RunLater else _ENDINGS[type(outcome)]
    return Decision(outcome, ending, error, stats, policy)


def may_be_excused(decision: Decision) -> bool:
    """Return whether a signal that stops the worker may have ended the job for good.

    A service manager or a terminal sends the signal to the task's child processes as
    well, and the task fails as they end. It can't be so if the task has asked to bury
    the job, if the job can't be run, or if its time limit was over.
    """
    if decision.ending not in FINAL:
        return False
    error = decision.error
    return error is not None and not any(map(_is_verdict, errors_in(error)))


def excuse(decision: Decision, stats: JobStats) -> Decision:
    """Return the decision that puts a job back instead."""
    released = Released(stats.priority, _PAUSE_AFTER_SIGNAL)
    return decision._replace(outcome=released, ending=None)


def _is_verdict(error: BaseException) -> bool:
    """Return whether an error means the same whatever signals there were."""
    return issubclass(type(error), BadJobError | Bury | TimeLimitExceeded)
