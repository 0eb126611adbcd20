"""A reserved job, of which several threads may talk to the broker."""

import threading
import time
from typing import TYPE_CHECKING

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.outcomes import DONE, Buried, Outcome
from jobqueue.broker.stats import JobStats
from jobqueue.worker.processes.status_board import SlotStatus

if TYPE_CHECKING:
    from jobqueue.task.definition import Task


class Reservation:
    """A job that this worker has reserved.

    The slot settles the job, the heartbeat touches it, and so may the task. They take
    turns on the connection. When the job is settled, or its connection was lost, it is
    not this worker's any more: nothing more is said of it to the broker.

    The methods may raise :class:`~jobqueue.errors.BrokerError`.
    """

    __slots__ = (
        "_connection",
        "_slot_status",
        "_turn",
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
        self.ttr: int | None = None  # seconds; what the heartbeat has learnt of it
        self._connection = connection
        self._slot_status = slot_status
        self._turn = threading.Lock()
        self.has_last_chance = False  # see Admission
        self.is_settled = False  # or given up: no more is said of it
        self.is_buried = False  # while it runs
        self.is_doubted = False  # that it can run: its workers were lost before
        slot_status.begin(job_id)

    def publish_deadline(self, seconds: float | None) -> None:
        """Publish when the call should end, for the supervisor; None: it has ended."""
        self._slot_status.publish_deadline(
            0 if seconds is None else time.monotonic() + seconds
        )

    def touch(self) -> bool:
        """Start the job's time to run anew; False if the reservation was lost."""
        with self._turn:
            return not self.is_settled and self._connection.touch(self.id)

    def stats(self) -> JobStats | None:
        """Return what the broker counts; None if the reservation was lost."""
        with self._turn:
            return None if self.is_settled else self._connection.stats_job(self.id)

    def settle(self, outcome: Outcome, *, reserve: int | None) -> bool:
        """Tell the broker what becomes of the job, as Connection.settle does.

        Returns False if the reservation was lost, or the job was buried meanwhile.
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
        """Let the supervisor know that the slot is done with the job."""
        self._slot_status.end()

    def forked(self) -> None:
        """Take note that this is a copy in a child, to which the job does not belong.

        Another thread may have had its turn at the moment of the fork: for ever, here.
        """
        self._turn = threading.Lock()
        self.is_settled = True
