"""Touches the jobs that run, so that the broker hands them to nobody else."""

import math
import threading
import time
from collections.abc import Callable, Collection

from jobqueue.errors import BrokerError, CrashLoopError
from jobqueue.worker.reporting import job_log
from jobqueue.worker.reporting.reporter import Observer
from jobqueue.worker.slots.reservation import Reservation

TICK = 0.25  # seconds: a ttr is 1 at least
TOUCHES_PER_TTR = 3


class Heartbeat:
    """A thread that touches each running job three times in its time to run.

    ``running`` returns what this process has reserved now. The broker is asked for the
    time to run, but only if a tick finds the job already running for a while: one that
    is quick costs nothing. While nothing runs, the thread sleeps.
    """

    def __init__(
        self, running: Callable[[], Collection[Reservation]], observer: Observer
    ) -> None:
        self._running = running
        self._observer = observer
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
        """Look at what runs from now on. Called for each job, once it is in there."""
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
                due = known.get(reservation, reservation.began + TICK / 2)
                if due <= time.monotonic():
                    due = time.monotonic() + _touch(reservation, self._observer)
                self._due[reservation] = due

    def _sleep(self) -> None:
        """Wait until something runs."""
        # In this order: a job that begins unseen finds that it has to wake us up.
        self._is_asleep = True
        if not self._running():
            self._wake.wait()
        self._is_asleep = False
        self._wake.clear()  # whoever has closed meanwhile is seen by the caller

    def _pause(self) -> float:
        next_due = min(self._due.values(), default=math.inf)
        return max(0, min(TICK, next_due - time.monotonic()))


def _touch(reservation: Reservation, observer: Observer) -> float:
    """Touch a job, and return for how many seconds that is enough."""
    try:
        if reservation.touch():
            if reservation.ttr is None:
                _ask_about(reservation, observer)
            return (reservation.ttr or 1) / TOUCHES_PER_TTR
        if not reservation.is_settled:
            job_log.not_touched(reservation, "it was not reserved for this worker")
    except BrokerError as error:
        job_log.not_touched(reservation, str(error))
    return math.inf


def _ask_about(reservation: Reservation, observer: Observer) -> None:
    """Find out the job's time to run, and whether it has killed too many workers.

    If so, it is buried there and then, before it kills this one: the slot has not asked
    about each job. If it ends well after all, the slot deletes it.
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
            observer.buried_while_it_runs(reservation.task)
            job_log.buried_while_it_runs(reservation, error)
