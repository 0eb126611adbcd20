"""A reserved job, about which several threads may talk to the broker."""

import threading
import time
from typing import TYPE_CHECKING

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.settlement import DONE, Buried, Outcome
from jobqueue.broker.stats import JobStats
from jobqueue.worker.processes.status_board import SlotStatus

if TYPE_CHECKING:
    from jobqueue.task.definition import Task


class Reservation:
    """A job that this worker has reserved.

    The slot settles the job, the heartbeat touches it, and the task may touch it, too:
    a lock keeps their commands apart on the connection. Once the job is settled, or
    buried while it runs, it is no longer this worker's, and ``touch``, ``stats`` and
    ``settle`` send nothing.

    Methods that talk to the broker may raise :class:`~jobqueue.errors.BrokerError`.
    """

    __slots__ = (
        "_connection",
        "_lock",
        "_slot_status",
        "began",
        "body",
        "has_last_chance",
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
        slot_status: SlotStatus,
    ) -> None:
        self.id = job_id
        self.body = body
        self.task: Task | None = None
        self.began = time.monotonic()
        self.ttr: int | None = None  # seconds; the heartbeat asks for it
        self._connection = connection
        self._slot_status = slot_status
        self._lock = threading.Lock()
        self.has_last_chance = False  # see Admission
        self.is_settled = False  # or buried: nothing more is sent
        self.is_buried = False  # while it runs
        self.is_doubted = False  # it is buried as its workers were lost before
        slot_status.begin(job_id)

    def publish_deadline(self, seconds: float | None) -> None:
        """Publish for the supervisor when the call must end; None: it has ended."""
        self._slot_status.publish_deadline(
            0 if seconds is None else time.monotonic() + seconds
        )

    def touch(self) -> bool:
        """Restart the job's time to run; False if the reservation was lost."""
        with self._lock:
            return not self.is_settled and self._connection.touch(self.id)

    def stats(self) -> JobStats | None:
        """Return the broker's counts of the job; None if the reservation was lost."""
        with self._lock:
            return None if self.is_settled else self._connection.stats_job(self.id)

    def settle(self, outcome: Outcome, *, reserve: int | None) -> bool:
        """Tell the broker the outcome of the job, like ConsumerConnection.settle.

        Returns False if the reservation was lost, or the job was buried while it ran.
        """
        with self._lock:
            if self.is_settled:
                return False
            self.is_settled = True
            return self._connection.settle(self.id, outcome, reserve=reserve)

    def bury(self) -> bool:
        """Bury the job while it still runs; False if the reservation was lost."""
        with self._lock:
            if self.is_settled:
                return self.is_buried
            stats = self._connection.stats_job(self.id)
            self.is_settled = True
            self.is_buried = stats is not None and self._connection.settle(
                self.id, Buried(stats.priority)
            )
            return self.is_buried

    def delete_buried(self) -> bool:
        """Delete the job that was buried while it ran; False if it is gone."""
        with self._lock:
            return self._connection.settle(self.id, DONE)

    def end(self) -> None:
        """Tell the supervisor that the slot no longer holds the job."""
        self._slot_status.end()

    def forked(self) -> None:
        """Take note that this is a copy in a child, to which the job does not belong.

        Another thread may have held the lock at the moment of the fork. In the child
        nobody would release it.
        """
        self._lock = threading.Lock()
        self.is_settled = True
