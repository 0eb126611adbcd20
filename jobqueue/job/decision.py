"""The decision on a job that a worker has dealt with, and how the job has ended."""

import enum
from typing import NamedTuple

from jobqueue.broker.settlement import DONE, Buried, Deleted, Outcome, Released
from jobqueue.broker.stats import JobStats
from jobqueue.job.outcome import RetryPolicy, RunLater, decide


class Ending(enum.IntEnum):
    """How a job's run has ended, as logs and metrics call it."""

    DONE = 0
    RELEASED = 1
    BURIED = 2
    KICKS_REACH_MAX = 3  # deleted, though it failed
    LOST = 4  # no outcome reached the broker in time: it may run twice


class Decision(NamedTuple):
    """The outcome decided for a job, and the facts that it was decided on."""

    outcome: Outcome | None  # None: the reservation was lost
    ending: Ending | None  # None: put back for a moment, not ended
    error: BaseException | None = None  # of a failed job
    stats: JobStats | None = None  # of a failed job
    policy: RetryPolicy = RetryPolicy()


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
    try:
        outcome = decide(error, stats, policy)
    except Exception as broken:  # noqa: BLE001 - backoff may be a function of the app's
        broken.__cause__ = error
        error, outcome = broken, Buried(stats.priority)
    # type(), not isinstance(), which may run code of a task's own error.
    ending = None if type(error) is RunLater else _ENDINGS[type(outcome)]
    return Decision(outcome, ending, error, stats, policy)
