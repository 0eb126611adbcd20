"""The heartbeat: extends the time to run of running jobs."""

import math
import threading
import time
from collections.abc import Callable, Collection

from jobqueue.broker.address import Address
from jobqueue.broker.failures import silent
from jobqueue.errors import BrokerError, CrashLoopError
from jobqueue.job.outcome import crash_loop
from jobqueue.safe_text import error_of
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.threads import start_thread

TOUCHES_PER_TTR = 3


class Heartbeat:
    """A thread that touches each running job three times in its time to run, or more.

    The touches keep the broker from handing the job to another worker, and whatever
    lies between from ending an idle connection. ``running`` returns the reservations of
    this process.

    The broker is asked for a job's time to run only when the job has run for a while: a
    quick job costs nothing. While no job runs, the thread sleeps. It waits for no
    reply, so that one silent connection holds up no other: it sends all touches that
    are due, and reads what has arrived at its next look. ``on_beat`` is called a few
    times a second while jobs run.
    """

    def __init__(
        self,
        running: Callable[[], Collection[Reservation]],
        reporter: Reporter,
        timings: Timings,
        address: Address,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._running = running
        self._reporter = reporter
        self._timings = timings
        self._address = address
        self._on_beat = [on_beat]
        self._may_sleep: Callable[[], bool] = lambda: True
        self._pulses: dict[Reservation, _Pulse] = {}
        self._is_asleep = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread.

        Raises :class:`~jobqueue.errors.JobQueueError` if the system starts no more.
        """
        self._thread = start_thread(self._beat, name="jobqueue-heartbeat")

    def call_at_beats(
        self, callback: Callable[[], None], may_sleep: Callable[[], bool]
    ) -> None:
        """Have ``callback`` called like ``on_beat``, too.

        And also while no job runs, if ``may_sleep()`` is false when the last one ends.
        """
        self._on_beat.append(callback)
        self._may_sleep = may_sleep

    def job_begins(self) -> None:
        """Wake the thread up. To be called for each job once ``running`` has it."""
        if self._is_asleep:
            self._wake.set()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        while not self._closed.wait(self._pause()):
            if not self._pulses:
                self._sleep()
            for on_beat in self._on_beat:
                on_beat()
            known = self._pulses
            self._pulses = {
                reservation: known.get(reservation) or self._pulse_of(reservation)
                for reservation in self._running()
            }
            for pulse in self._pulses.values():
                pulse.look()

    def _pulse_of(self, reservation: Reservation) -> "_Pulse":
        return _Pulse(reservation, self._reporter, self._timings, self._address)

    def _sleep(self) -> None:
        """Wait until a job runs, unless what else may run has to be watched."""
        # The flag first: a job that begins after the look has to wake this thread.
        self._is_asleep = True
        if not self._running() and self._may_sleep():
            self._wake.wait()
        self._is_asleep = False
        self._wake.clear()  # _beat looks at _closed next

    def _pause(self) -> float:
        next_due = min((p.due for p in self._pulses.values()), default=math.inf)
        interval = self._timings.heartbeat_interval
        return max(0, min(interval, next_due - time.monotonic()))


class _Pulse:
    """The touches of one job. ``due`` is the ``time.monotonic()`` of the next look."""

    def __init__(
        self,
        reservation: Reservation,
        reporter: Reporter,
        timings: Timings,
        address: Address,
    ) -> None:
        self.due = reservation.began + timings.heartbeat_interval / 2
        self._reservation = reservation
        self._reporter = reporter
        self._timings = timings
        self._address = address
        self._sent_at: float | None = None  # the touch that is not answered yet
        self._is_reported = False  # that there is no answer
        self._is_checked = False

    def look(self) -> None:
        """Touch the job if that is due, or see if the last touch is answered."""
        now = time.monotonic()
        if now < self.due:
            return
        self.due = now + self._timings.heartbeat_interval
        try:
            if self._sent_at is None:
                if self._reservation.begin_touch():
                    self._sent_at = now
            else:
                self._read(self._sent_at, now)
        except BrokerError as error:
            self._end(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours; other jobs go on
            self._end(error_of(error))

    def _read(self, sent_at: float, now: float) -> None:
        is_touched = self._reservation.end_touch()
        if is_touched is None:
            if now >= sent_at + self._address.timeout and not self._is_reported:
                self._is_reported = True
                self._report(str(silent(self._address, is_new=False)))
        elif is_touched:
            self._sent_at = None
            self._is_reported = False
            self.due = sent_at + self._touch_pause()
            self._check()
        elif self._reservation.is_settled or self._reservation.is_ended:
            self.due = math.inf
        else:
            self._end("it was not reserved for this worker")

    def _touch_pause(self) -> float:
        stats = self._reservation.stats_at_touch
        ttr = 1 if stats is None else stats.ttr
        return min(ttr / TOUCHES_PER_TTR, self._timings.longest_touch_pause)

    def _check(self) -> None:
        """Bury the job, once its counts are known, if it was lost too often before.

        The slot does not check every job before it runs. A job that runs for a while is
        checked here, and buried before it kills this worker, too. If the job succeeds
        after all, the slot deletes it.
        """
        reservation, stats = self._reservation, self._reservation.stats_at_touch
        if self._is_checked or stats is None or reservation.task is None:
            return
        self._is_checked = True
        policy = reservation.task.policy
        try:
            policy.check_lost(stats)
        except CrashLoopError:
            is_due = True
        else:
            is_due = policy.is_buried_first(stats)
        if is_due and reservation.bury_doubted(stats):
            self._reporter.job_buried_while_running(reservation, crash_loop(stats))

    def _end(self, why: str) -> None:
        """Touch the job no more, as it is lost."""
        self.due = math.inf
        self._report(why)

    def _report(self, why: str) -> None:
        self._reporter.job_not_touched(self._reservation, why)
