"""Admission: whether a job may run, decided before its function is called.

Asking the broker for a job's counts takes a round trip, which most jobs are spared. But
a job that kills every worker that runs it must not come back for ever.
"""

import threading
import time
from collections.abc import Callable

from jobqueue.broker.stats import JobStats
from jobqueue.errors import BadJobError, SignatureError
from jobqueue.job.expiry import check_age
from jobqueue.job.outcome import RunLater, crash_loop
from jobqueue.task.definition import Task
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.executor import Call
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.reservation import Reservation

_GONE = "it is not reserved for this worker any more"
_ANOTHER_RUNS = (
    "was lost with its worker before, and so was another job that runs now; they run "
    "one after the other"
)


class GuardState:
    """The crash-loop state that the slots of a process share.

    Each job is checked at first, and again after a reservation was lost.
    """

    def __init__(self, timings: Timings) -> None:
        self.timings = timings
        self.last_chance = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Have each job checked from now on."""
        self._first_job_at: float | None = None  # time.monotonic()
        self.generation = object()  # set last: a slot that sees it sees the rest

    def seconds_since_first_job(self) -> float:
        """Return the seconds since the first call, which comes with the first job."""
        now = time.monotonic()
        if self._first_job_at is None:
            self._first_job_at = now
        return now - self._first_job_at


class CrashLoopGuard:
    """Finds the jobs of one slot that may have killed a worker before.

    A job whose worker was lost is ready again at once. beanstalkd hands out the jobs of
    one priority in the order of their ids. So as soon as a job comes that was put
    without a delay and never reserved before, no job after it in that order was lost
    before either. A job that another worker loses later has a lower id than the jobs
    that came meanwhile, or comes next. So a job that runs unchecked kills a process at
    most once, and the process that replaces it checks again.

    A more urgent job is out of this order, and comes at once. So each job is checked
    for a while, even after such a proof.
    """

    def __init__(self, state: GuardState) -> None:
        self._state = state
        self._newest = 0
        self._generation = state.generation  # in which the fields below were learnt
        self._has_proof = False
        self._trusts = False

    def restart(self) -> None:
        """Have each job checked for a while: a reservation or connection was lost."""
        self._newest = 0  # a broker that lost its jobs counts from 1 again
        self._state.restart()

    def must_check(self, job_id: int) -> bool:
        """Return whether to ask for the counts of the job that has just come."""
        is_trusted = self._trusts and self._generation is self._state.generation
        return not (is_trusted and job_id > self._newest)

    def let_pass(self, job_id: int) -> None:
        """Take note of a job that runs unchecked."""
        self._newest = job_id

    def learn(self, job_id: int, stats: JobStats) -> None:
        """Take note of the broker's counts of a job."""
        if self._generation is not self._state.generation:
            self._generation = self._state.generation
            self._has_proof = False
        is_proof = stats.reserves == 1 and not stats.delay
        self._has_proof |= is_proof
        # Not the maximum: after an urgent job of a high id, all those that waited would
        # be out of order.
        self._newest = job_id if is_proof else max(self._newest, job_id)
        timings = self._state.timings
        # This is enough, as the heartbeat checks each job that runs for a while.
        enough = timings.wary_for if self._has_proof else timings.wary_without_proof_for
        self._trusts = self._state.seconds_since_first_job() > enough


class Admission:
    """Decides whether the jobs of one slot may run.

    ``has_many_tubes`` says that the slot watches more than one tube. Then a signed job
    may have been put into another tube than the one it was signed for.
    """

    def __init__(
        self, state: GuardState, reporter: Reporter, *, has_many_tubes: bool
    ) -> None:
        self._state = state
        self._reporter = reporter
        self._guard = CrashLoopGuard(state)
        self._has_many_tubes = has_many_tubes

    def asks(self, job_id: int, call: Call) -> bool:
        """Return whether :meth:`admit` asks the broker about a job, and may wait."""
        task, max_age = call.task, call.max_age
        if self._guard.must_check(job_id) or task.options.max_age is not None:
            return True
        return max_age is not None or (self._has_many_tubes and task.signing.is_on)

    def admit(
        self,
        reservation: Reservation,
        task: Task,
        is_stopping: Callable[[], bool],
        max_age: float | None = None,
    ) -> None:
        """Return if a job may run, else raise; may ask the broker for its counts.

        A job that was lost so often that this is its last run is buried first. It may
        have to wait here, until ``is_stopping()``, for another such job to end.
        ``max_age`` is what the job itself says, or None.

        Raises :class:`~jobqueue.errors.SignatureError` for a signed job that was put
        into another tube, :class:`~jobqueue.errors.CrashLoopError` for a job that was
        lost and must not run again, Expired for a job that is too old, RunLater for a
        job that must not run beside another, and :class:`~jobqueue.errors.BadJobError`
        for a job that is no longer reserved. A :class:`~jobqueue.errors.BrokerError` is
        about the connection, not the job.
        """
        may_have_crashed = self._guard.must_check(reservation.id)
        may_be_moved = self._has_many_tubes and task.signing.is_on
        has_max_age = max_age is not None or task.options.max_age is not None
        if not may_have_crashed:
            self._guard.let_pass(reservation.id)
            if not (may_be_moved or has_max_age):
                return
        stats = reservation.stats()
        if stats is None:
            raise BadJobError(_GONE)
        if may_be_moved and stats.tube != task.tube:
            raise SignatureError(
                f"it was signed for tube {task.tube!r}, not for this one"
            )
        if may_have_crashed:
            self._guard.learn(reservation.id, stats)
            task.policy.check_lost(stats)
        if has_max_age:
            check_age(stats, task.options.max_age, max_age)
        if may_have_crashed and task.policy.is_last_chance(stats):
            # Waiting costs a slot, and being released one of the retries, if any.
            may_wait = task.policy.retries_left(stats) > 0
            self._take_last_chance(reservation, is_stopping if may_wait else None)
            if task.policy.is_buried_first(stats):
                self._bury_first(reservation, stats)

    def distrust(self) -> None:
        """Have each job checked for a while: a reservation or connection was lost."""
        self._guard.restart()

    def release(self, reservation: Reservation) -> None:
        """Release the last-chance lock if this job, which has ended, holds it."""
        if reservation.has_last_chance:
            reservation.has_last_chance = False
            self._state.last_chance.release()

    def _take_last_chance(
        self, reservation: Reservation, is_stopping: Callable[[], bool] | None
    ) -> None:
        """Take the last-chance lock for a job; wait for it if ``is_stopping`` is given.

        Raises RunLater if another job holds the lock.

        A job that kills its worker takes with it the jobs that run beside it. When each
        of these may run only once more, nobody can tell which one is to blame. So they
        run one after the other, and only the one to blame stays buried.
        """
        lock, pause = self._state.last_chance, self._state.timings.last_chance_poll
        while not lock.acquire(timeout=pause if is_stopping else 0):
            if is_stopping is None or is_stopping():
                raise RunLater(_ANOTHER_RUNS)
        reservation.has_last_chance = True

    def _bury_first(self, reservation: Reservation, stats: JobStats) -> None:
        if not reservation.bury_doubted(stats):
            raise BadJobError(_GONE)
        self._reporter.job_buried_while_running(reservation, crash_loop(stats))
