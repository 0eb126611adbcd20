"""Task: a decorated function with its options, and its place in the source."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jobqueue.job.outcome import RetryPolicy
from jobqueue.job.signing import Signing
from jobqueue.task.options import TaskOptions

if TYPE_CHECKING:
    from jobqueue.job.context import Around, OnBuried
    from jobqueue.job.headers import BeforePut
    from jobqueue.schedule.schedule import Schedule
    from jobqueue.task.source import SourceLocation


class Task(NamedTuple):
    """A decorated function, with all that a worker needs to run its jobs."""

    tube: str
    func_name: str
    func: Callable[..., Any]
    options: TaskOptions
    broker_url: str | None  # of its queue; None: the environment's, or the default
    around: "Sequence[Around]"  # the queue's own list of hooks, which may grow
    on_buried: "Sequence[OnBuried]"  # the same
    signing: Signing  # of its queue
    location: "SourceLocation"
    before_put: "Sequence[BeforePut]" = ()  # the queue's own list of hooks, again
    other_names: tuple[str, ...] = ()  # by which jobs may name it, too
    schedule: "Schedule | None" = None  # of a periodic task

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which jobs may name the task; the first is put."""
        return self.func_name, *self.other_names

    @property
    def policy(self) -> RetryPolicy:
        """When a failed job of this task is tried again, and when it is given up."""
        return self.options.policy

    @property
    def time_limit(self) -> float | None:
        """How many seconds a job of this task may run; None: the worker decides."""
        return self.options.time_limit
