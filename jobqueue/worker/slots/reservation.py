"""A reserved job, of which several threads may talk to the broker."""

import threading
import time

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.outcomes import DONE, Buried, Outcome
from jobqueue.broker.stats import JobStats
from jobqueue.errors import ReservationLostError, SignatureError
from jobqueue.task.definition import Task
from jobqueue.worker.processes.status_board import SlotStatus
from jobqueue.worker.slots.admission import CrashLoopGuard


class Reservation:
    """The slot settles the job, the heartbeat touches it, and so may the task.

    They take turns on the connection. When the job is settled, or its connection was
    lost, it is not this worker's any more: nothing more is said of it to the broker.

    The methods may raise :class:`~jobqueue.errors.BrokerError`.
    """

    __slots__ = (
        "_cell",
        "_connection",
        "_has_last_chance",
        "_may_be_of_other_tube",
        "_suspicion",
        "_turn",
        "began",
        "body",
        "id",
        "is_buried",
        "is_doubted",
        "is_settled",
        "task",
        "ttr",
    )

    def __init__(
        self,
        connection: ConsumerConnection,
        job_id: int,
        body: bytes,
        cell: SlotStatus,
        suspicion: CrashLoopGuard,
        *,
        may_be_of_other_tube: bool,
    ) -> None:
        self.id = job_id
        self.body = body
        self.task: Task | None = None
        self.began = time.monotonic()
        self.ttr: int | None = None  # seconds; what the heartbeat has learnt of it
        self._connection = connection
        self._cell = cell
        self._suspicion = suspicion
        self._may_be_of_other_tube = may_be_of_other_tube  # than its body says
        self._turn = threading.Lock()
        self._has_last_chance = False
        self.is_settled = False  # or given up: no more is said of it
        self.is_buried = False  # while it runs
        self.is_doubted = False  # that it can run: its workers were lost before
        cell.begin(job_id)

    def begins(self, task: Task) -> None:
        """Take note of what runs.

        Raises :class:`~jobqueue.errors.SignatureError` for a signed job that was put
        into another tube, :class:`~jobqueue.errors.CrashLoopError` for one that was
        lost too often to be run again, and RunLater for one that is not to run beside
        another.
        """
        self.task = task
        is_suspect = self._suspicion.is_of(self.id)
        may_be_replayed = self._may_be_of_other_tube and task.signing.is_on
        if is_suspect or may_be_replayed:
            stats = self.stats()
            if may_be_replayed:
                _check_tube(stats, task)
            if is_suspect and stats is not None:
                self._suspicion.learn(self.id, stats)
                task.policy.check_lost(stats)
                self._has_last_chance = self._suspicion.take_last_chance(
                    stats, task.policy
                )

    def limit(self, seconds: float | None) -> None:
        """Let the supervisor know when what runs now should end; None: it has ended."""
        self._cell.limit(0 if seconds is None else time.monotonic() + seconds)

    def touch(self) -> bool:
        """Start the job's time to run anew; False if the reservation was lost."""
        with self._turn:
            return not self.is_settled and self._connection.touch(self.id)

    def stats(self) -> JobStats | None:
        """Return what the broker counts; None if the reservation was lost."""
        with self._turn:
            return None if self.is_settled else self._connection.stats_job(self.id)

    def settle(self, outcome: Outcome, *, reserve: int | None) -> bool:
        """Tell the broker what becomes of the job, as :meth:`Connection.settle` does.

        Returns False if the reservation was lost.
        """
        with self._turn:
            if self.is_settled:
                return False
            self.is_settled = True
            return self._connection.settle(self.id, outcome, reserve=reserve)

    def bury(self) -> bool:
        """Bury the job while it still runs; False if the reservation was lost."""
        with self._turn:
            if self.is_settled:
                return self.is_buried
            stats = self._connection.stats_job(self.id)
            self.is_settled = True
            self.is_buried = stats is not None and self._connection.settle(
                self.id, Buried(stats.priority)
            )
            return self.is_buried

    def delete_buried(self) -> bool:
        """Delete the job that was buried while it ran; False if it is not there."""
        with self._turn:
            return self._connection.settle(self.id, DONE)

    def end(self) -> None:
        """Let the supervisor, and other slots, know that the slot is done with it."""
        self._cell.end()
        if self._has_last_chance:
            self._suspicion.give_last_chance_back()

    def forked(self) -> None:
        """Take note that this is a copy in a child, to which the job does not belong.

        Another thread may have had its turn at the moment of the fork: for ever, here.
        """
        self._turn = threading.Lock()
        self.is_settled = True


def _check_tube(stats: JobStats | None, task: Task) -> None:
    """Raise unless the job is in the tube that it was signed for."""
    if stats is None:
        raise ReservationLostError("the job is not reserved for this worker any more")
    if stats.tube != task.tube:
        raise SignatureError(f"it was signed for tube {task.tube!r}, not for this one")
