"""A reserved job, about which several threads may talk to the broker."""

import functools
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.settlement import DONE, Buried, Outcome, SidePut, SidePutReply
from jobqueue.broker.stats import JobStats
from jobqueue.errors import BrokerError
from jobqueue.job.outcome import crash_loop
from jobqueue.worker.processes.status_board import SlotStatus

if TYPE_CHECKING:
    from jobqueue.job.decision import Decision
    from jobqueue.task.definition import Task
    from jobqueue.worker.slots.failure_notes import FailureNotes


class _Burial(NamedTuple):
    """A burial of a job that ran, and the note of it."""

    stats: JobStats
    note: SidePut
    note_id: int | None  # None: it was not put


def release_all(reservations: Iterable["Reservation"]) -> None:
    """Release running jobs, so that they are not counted as lost.

    All are released before the first reply is read: the broker may be far away. A job
    that can't be released at once is ready again when its connection ends.
    """
    released = []
    for reservation in reservations:
        with suppress(BrokerError):
            if reservation.begin_release():
                released.append(reservation)
    for reservation in released:
        with suppress(BrokerError):
            reservation.end_release()


class Reservation:
    """A job that this worker has reserved.

    The slot settles the job, the heartbeat touches it, and the task may touch it, too:
    a lock keeps their commands apart on the connection. Once the job is settled, or
    its slot goes on, these send nothing more. Nobody else gets a job that was buried
    while it runs, so to the task it is as if it were reserved.

    Methods that talk to the broker may raise :class:`~jobqueue.errors.BrokerError`.
    """

    __slots__ = (
        "_burial",
        "_connection",
        "_lock",
        "_notes",
        "_slot_status",
        "began",
        "body",
        "has_last_chance",
        "id",
        "is_buried",
        "is_doubted",
        "is_ended",
        "is_settled",
        "stats_at_touch",
        "task",
    )

    def __init__(
        self,
        connection: ConsumerConnection,
        job_id: int,
        body: bytes,
        slot_status: SlotStatus,
        notes: "FailureNotes | None" = None,
    ) -> None:
        self.id = job_id
        self.body = body
        self.task: Task | None = None
        self.began = time.monotonic()
        self.stats_at_touch: JobStats | None = None  # the heartbeat asks for them
        self._connection = connection
        self._slot_status = slot_status
        self._notes = notes
        self._burial: _Burial | None = None
        self._lock = threading.Lock()
        self.has_last_chance = False  # see Admission
        self.is_settled = False  # or buried: nothing more is sent
        self.is_buried = False  # while it runs
        self.is_doubted = False  # it is buried as its workers were lost before
        self.is_ended = False  # the slot goes on
        slot_status.begin(job_id)

    def publish_deadline(self, seconds: float | None) -> None:
        """Publish for the supervisor when the call must end; None: it has ended."""
        self._slot_status.publish_deadline(
            0 if seconds is None else time.monotonic() + seconds
        )

    def touch(self) -> bool:
        """Restart the job's time to run; False if the reservation was lost."""
        with self._lock:
            if self._is_over():
                return False
            return self.is_buried or self._connection.touch(self.id)

    def begin_touch(self) -> bool:
        """Send a touch without waiting for the reply; ask for the counts, at first.

        Returns False if another thread is talking to the broker about the job. A job
        that was buried is touched, too: else what lies between this worker and the
        broker may end the idle connection.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if not self._is_over():
                with_stats = self.stats_at_touch is None and not self.is_buried
                self._connection.begin_touch(self.id, with_stats=with_stats)
            return True
        finally:
            self._lock.release()

    def end_touch(self) -> bool | None:
        """Return what :meth:`touch` would; None as long as there is no reply."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._is_over():
                return False
            touched = self._connection.end_touch()
            if touched is None:
                return None
            self.stats_at_touch = touched.stats or self.stats_at_touch
            return self.is_buried or touched.is_reserved
        finally:
            self._lock.release()

    def stats(self) -> JobStats | None:
        """Return the broker's counts of the job; None if the reservation was lost."""
        with self._lock:
            return None if self._is_over() else self._connection.stats_job(self.id)

    def retries_left(self) -> int | None:
        """Return the job's retries that are left; None if the reservation was lost."""
        stats = self.stats()
        if stats is None or self.task is None:
            return None
        # What is buried while it runs can't be released.
        return 0 if self.is_buried else self.task.policy.retries_left(stats)

    def settle(self, outcome: Outcome, *, reserve: int | None) -> bool:
        """Tell the broker the outcome of the job, like ConsumerConnection.settle.

        Returns False if the reservation was lost, or the job was buried while it ran.
        """
        with self._lock:
            if self.is_settled:
                return False
            self.is_settled = True
            return self._connection.settle(self.id, outcome, reserve=reserve)

    def begin_settle(self) -> bool:
        """Take note that the caller settles the job now, without this object.

        Returns False if the job is settled, or if another thread is talking to the
        broker about it.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            was_settled, self.is_settled = self.is_settled, True
            return not was_settled
        finally:
            self._lock.release()

    def settle_failed(self, decision: "Decision", *, reserve: int | None) -> bool:
        """Tell the broker the outcome of a job that failed, with a note of why.

        Returns what :meth:`settle` would.
        """
        outcome, notes = decision.outcome, self._notes
        note = notes.on_decision(self, decision) if notes else None
        if outcome is None or notes is None or note is None:
            return outcome is not None and self.settle(outcome, reserve=reserve)
        with self._lock:
            if self.is_settled:
                return False
            self.is_settled = True
            on_reply = functools.partial(notes.answered, note)
            return self._connection.settle_and_put(
                self.id, outcome, note, on_reply, reserve=reserve
            )

    def bury(
        self, error: BaseException, stats: JobStats | None = None, stack: str = ""
    ) -> bool:
        """Bury the job while it still runs; False if the reservation was lost.

        Without ``stats``, the broker is asked for the job's priority.
        """
        with self._lock:
            if self.is_settled:
                return self.is_buried
            stats = stats or self._connection.stats_job(self.id)
            self.is_settled = True
            self.is_buried = stats is not None and self._bury(error, stats, stack)
            return self.is_buried

    def _bury(self, error: BaseException, stats: JobStats, stack: str) -> bool:
        outcome, notes = Buried(stats.priority), self._notes
        note = notes.on_burial(self, error, stats, stack) if notes else None
        if notes is None or note is None:
            return self._connection.settle(self.id, outcome)

        def keep(reply: SidePutReply) -> None:
            self._burial = _Burial(stats, note, reply.put_id)
            notes.answered(note, reply)

        return self._connection.settle_and_put(self.id, outcome, note, keep)

    def bury_doubted(self, stats: JobStats) -> bool:
        """Bury the job for its losses, so that it is deleted if it succeeds after all.

        Returns False if the reservation was lost.
        """
        self.is_doubted = True
        return self.bury(crash_loop(stats), stats)

    def note_end(self, error: BaseException | None) -> None:
        """Have the note of a burial say how the run of the job has ended after all."""
        if self._burial is not None and self._notes is not None:
            self._notes.on_end(self, error, *self._burial)

    def begin_release(self) -> bool:
        """Give the running job back; False if that can't be done at once.

        :meth:`end_release` has to read the reply.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self.is_settled or self.is_ended:
                return False
            stats = self.stats_at_touch
            if stats is None:
                touched = self._connection.end_touch()
                stats = touched.stats if touched else None
            if stats is None or stats.id != self.id:  # of the job before
                return False
            self.is_settled = True
            self._connection.begin_release(self.id, stats.priority)
            return True
        finally:
            self._lock.release()

    def end_release(self) -> bool:
        """Read the reply to begin_release(); False if the reservation was lost."""
        with self._lock:
            return self._connection.end_release()

    def delete_buried(self) -> bool:
        """Delete the job that was buried while it ran; False if it is gone."""
        with self._lock:
            return self._connection.settle(self.id, DONE)

    def end(self) -> None:
        """Take note that the slot goes on to the next job."""
        if self.is_buried or not self.is_settled:
            with self._lock:  # the heartbeat may be about to touch the job
                self.is_ended = True
        self._slot_status.end()

    def unpublish(self) -> None:
        """Tell the supervisor not to wait for this job."""
        self._slot_status.end()

    def _is_over(self) -> bool:
        return self.is_ended or (self.is_settled and not self.is_buried)

    def forked(self) -> None:
        """Take note that this is a copy in a child, to which the job does not belong.

        Another thread may have held the lock at the moment of the fork. In the child
        nobody would release it.
        """
        self._lock = threading.Lock()
        self.is_settled = self.is_ended = True
