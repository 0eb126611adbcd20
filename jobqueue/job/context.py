"""Job: what a task can see of the job that it runs for."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from jobqueue.errors import NoCurrentJobError, ReservationLostError
from jobqueue.job.limit_deferral import give_way_to_limit

if TYPE_CHECKING:
    from datetime import datetime

    from jobqueue.broker.stats import JobStats


class JobControl(Protocol):
    """Requests about a job, which its worker sends to the broker."""

    def touch(self) -> bool:
        """Restart the job's time to run. Return False if the reservation was lost."""
        ...

    def stats(self) -> "JobStats | None":
        """Return the broker's counts of the job, or None if it is not reserved."""
        ...

    def retries_left(self) -> int | None:
        """Return how many retries the job has left, or None if it is not reserved."""
        ...


@dataclass(slots=True)  # not frozen: a frozen one takes three times as long to make
class Job:
    """One call of a task, while a worker runs it.

    ``id`` is beanstalkd's: it starts at 1 again when a server without a binlog
    restarts, so use it in no durable key. ``kwargs`` are the arguments, and ``headers``
    the strings that were put beside them. ``due`` is a datetime in UTC: when the job of
    a periodic task was due, also if it was put late; None for any other job.

    A job can be pickled, but only the process that runs it can ask the broker about it:
    in any other, ``attempt``, ``retries_left`` and :meth:`touch` raise
    :class:`~jobqueue.errors.NoCurrentJobError`.
    """

    id: int
    func_name: str
    tube: str
    kwargs: dict[str, object]
    reservation: JobControl = field(repr=False, compare=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    due: "datetime | None" = field(default=None, repr=False)

    @property
    def attempt(self) -> int:
        """How many times the broker has handed out the job, this time included.

        Each use asks the broker. Raises :class:`~jobqueue.errors.ReservationLostError`
        if the job is no longer reserved for this worker, and other kinds of
        :class:`~jobqueue.errors.BrokerError` if the broker does not answer.
        """
        try:
            stats = self.reservation.stats()
        finally:
            give_way_to_limit()
        if stats is None:
            raise self._lost()
        return stats.reserves

    @property
    def retries_left(self) -> int:
        """How many times the job is tried again if it fails, this time not included.

        At 0 a failure is final. Each use asks the broker, and raises what ``attempt``
        does.
        """
        try:
            left = self.reservation.retries_left()
        finally:
            give_way_to_limit()
        if left is None:
            raise self._lost()
        return left

    def touch(self) -> None:
        """Restart the job's time to run (``ttr``), as beanstalkd's ``touch`` does.

        A worker does so by itself for as long as the task runs. A task may call this to
        learn whether the job is still its own: raises
        :class:`~jobqueue.errors.ReservationLostError` if it is not, and other kinds of
        :class:`~jobqueue.errors.BrokerError` if the broker does not answer.
        """
        try:
            is_ours = self.reservation.touch()
        finally:
            give_way_to_limit()
        if not is_ours:
            raise self._lost()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the job without its connection to the broker."""
        values = self.id, self.func_name, self.tube, self.kwargs
        return type(self), (*values, _Elsewhere(self.id), self.headers, self.due)

    def __copy__(self) -> "Job":
        values = self.id, self.func_name, self.tube, self.kwargs
        return type(self)(*values, self.reservation, self.headers, self.due)

    def _lost(self) -> ReservationLostError:
        return ReservationLostError(
            f"job {self.id} is not reserved for this worker any more"
        )


class _Elsewhere(NamedTuple):
    """The control of a job that another process runs: it refuses every request."""

    job_id: int

    def touch(self) -> bool:
        raise self._error()

    def stats(self) -> "JobStats | None":
        raise self._error()

    def retries_left(self) -> int | None:
        raise self._error()

    def _error(self) -> NoCurrentJobError:
        return NoCurrentJobError(
            f"job {self.job_id} is run by another process, and only that one can ask "
            "the broker about it"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuriedJob:
    """A job that was buried, or deleted for its kicks, as far as it is known.

    ``func_name``, ``kwargs`` and ``headers`` are what its body says, whether this
    worker knows the function or not; they are None if the body is no valid job.
    """

    id: int
    tube: str
    func_name: str | None
    kwargs: dict[str, object] | None
    body: bytes = field(repr=False)
    is_deleted: bool = False
    headers: dict[str, str] | None = None


Around = Callable[[Job], Iterator[object]]
OnBuried = Callable[[BuriedJob, BaseException], object]

current_job_var: ContextVar[Job] = ContextVar("jobqueue_running_job")


def current_job() -> Job:
    """Return the job that the calling code runs for, in a worker.

    Works in the task's thread, in ``async`` code of the task, and wherever the context
    is passed on, as by ``asyncio.to_thread``. Raises
    :class:`~jobqueue.errors.NoCurrentJobError` everywhere else.

    >>> current_job().id
    1
    """
    try:
        return current_job_var.get()
    except LookupError:
        raise NoCurrentJobError(
            "there is no current job: this code was not called by a worker"
        ) from None
