"""The job that a task runs for, as the task itself sees it."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from jobqueue.errors import NoCurrentJobError, ReservationLostError

if TYPE_CHECKING:
    from jobqueue.broker.stats import JobStats


class JobControl(Protocol):
    """What a job's holder can ask of the broker."""

    def touch(self) -> bool:
        """Start the time to run anew; False if the reservation was lost."""
        ...

    def stats(self) -> "JobStats | None":
        """Return what the broker counts; None if the reservation was lost."""
        ...


@dataclass(slots=True)  # not frozen, as that would take three times as long to make
class Job:
    """One call of a task, on its way through a worker."""

    id: int
    func_name: str
    tube: str
    kwargs: dict[str, object]
    reservation: JobControl = field(repr=False, compare=False)

    @property
    def attempt(self) -> int:
        """How many times the broker has handed the job out, this time included.

        Asks the broker. Raises :class:`~jobqueue.errors.ReservationLostError` and other
        errors of :class:`~jobqueue.errors.BrokerError`.
        """
        stats = self.reservation.stats()
        if stats is None:
            raise self._lost()
        return stats.reserves

    def touch(self) -> None:
        """Start the job's time to run anew.

        The worker does so by itself, for as long as the task runs. Raises
        :class:`~jobqueue.errors.ReservationLostError` if that was over, and other
        errors of :class:`~jobqueue.errors.BrokerError`.
        """
        if not self.reservation.touch():
            raise self._lost()

    def _lost(self) -> ReservationLostError:
        return ReservationLostError(
            f"job {self.id} is not reserved for this worker any more"
        )


Around = Callable[[Job], Iterator[object]]

running: ContextVar[Job] = ContextVar("jobqueue_running_job")


def current_job() -> Job:
    """Return the job that the calling code runs for, in a worker.

    Works in the task's own thread, in its ``async`` code, and in what passes the
    context on, as ``asyncio.to_thread`` does. Raises
    :class:`~jobqueue.errors.NoCurrentJobError` elsewhere.

    >>> current_job().id
    1
    """
    try:
        return running.get()
    except LookupError:
        raise NoCurrentJobError(
            "there is no current job: this code was not called by a worker"
        ) from None
