"""The heartbeat: extends the time to run of running jobs."""

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

    The touches keep the broker from handing the job to another worker. ``running``
    returns the reservations of this process. The broker is asked for a job's time to
    run only when the job has run for a while: a quick job costs nothing. While no job
    runs, the thread sleeps.
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
        """Wake the thread up. To be called for each job once ``running`` has it."""
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
        # The flag first: a job that begins after the look has to wake this thread.
        self._is_asleep = True
        if not self._running():
            self._wake.wait()
        self._is_asleep = False
        self._wake.clear()  # _beat looks at _closed next

    def _pause(self) -> float:
        next_due = min(self._due.values(), default=math.inf)
        return max(0, min(self._interval, next_due - time.monotonic()))

    def _touch(self, reservation: Reservation) -> float:
        """Touch a job, and return the seconds until it has to be touched again."""
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
        """Ask for the job's time to run; bury the job if it was lost too often before.

        The slot does not check every job before it runs. A job that runs for a while is
        checked here, and buried before it kills this worker, too. If the job succeeds
        after all, the slot deletes it.
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
