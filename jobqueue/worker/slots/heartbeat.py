"""The heartbeat: it extends the time to run of running jobs."""

import math
import threading
import time
from collections.abc import Callable, Collection

from jobqueue.errors import BrokerError, CrashLoopError
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.reservation import Reservation

TOUCHES_PER_TTR = 3


class Heartbeat:
    """A thread that touches each running job three times in its time to run.

    So the broker hands the job to no other worker. ``running`` returns what this
    process has reserved now. The broker is asked for the time to run, but only if a
    look finds the job already running for a while: a quick job costs nothing. While no
    job runs, the thread sleeps.
    """

    def __init__(
        self,
        running: Callable[[], Collection[Reservation]],
        reporter: Reporter,
        timings: Timings,
    ) -> None:
        self._running = running
        self._reporter = reporter
        self._interval = timings.heartbeat_interval
        self._due: dict[Reservation, float] = {}  # time.monotonic() of the next touch
        self._is_asleep = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._beat, name="jobqueue-heartbeat", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def job_begins(self) -> None:
        """Wake the thread up. To be called for each job, once ``running`` has it."""
        if self._is_asleep:
            self._wake.set()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._wake.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._closed.wait(self._pause()):
            if not self._due:
                self._sleep()
            known, self._due = self._due, {}
            for reservation in self._running():
                due = known.get(reservation, reservation.began + self._interval / 2)
                if due <= time.monotonic():
                    due = time.monotonic() + self._touch(reservation)
                self._due[reservation] = due

    def _sleep(self) -> None:
        """Wait until a job runs."""
        # In this order: a job that begins unseen finds that it has to wake this thread.
        self._is_asleep = True
        if not self._running():
            self._wake.wait()
        self._is_asleep = False
        self._wake.clear()  # _beat looks at _closed next

    def _pause(self) -> float:
        next_due = min(self._due.values(), default=math.inf)
        return max(0, min(self._interval, next_due - time.monotonic()))

    def _touch(self, reservation: Reservation) -> float:
        """Touch a job, and return for how many seconds that is enough."""
        try:
            if reservation.touch():
                if reservation.ttr is None:
                    self._check(reservation)
                return (reservation.ttr or 1) / TOUCHES_PER_TTR
            if not reservation.is_settled:
                why = "it was not reserved for this worker"
                self._reporter.job_not_touched(reservation, why)
        except BrokerError as error:
            self._reporter.job_not_touched(reservation, str(error))
        return math.inf

    def _check(self, reservation: Reservation) -> None:
        """Learn the job's time to run, and whether it has killed too many workers.

        If so, it is buried there and then, before it kills this one: the slot has not
        asked about each job. If it ends well after all, the slot deletes it.
        """
        stats = reservation.stats()
        if stats is None or reservation.task is None:
            return
        reservation.ttr = stats.ttr
        try:
            reservation.task.policy.check_lost(stats)
        except CrashLoopError as error:
            reservation.is_doubted = True
            if reservation.bury():
                self._reporter.job_buried_while_running(reservation, error)
