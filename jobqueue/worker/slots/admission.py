"""Which jobs may have been lost before, so that the broker is asked for their counts.

To ask takes a round trip, which most jobs shall not cost. But a job that kills each
worker must not come back for ever.
"""

import threading
import time

from jobqueue.broker.stats import JobStats
from jobqueue.job.outcome import RetryPolicy, RunLater

# The heartbeat asks, too, about a job that has run for a while: not later than this.
WARY_FOR = 0.5  # seconds
WARY_WITHOUT_PROOF_FOR = 60.0  # seconds


class GuardState:
    """What the slots of a process share: since when it has suspected every job.

    It does at first, and after a reservation was lost.
    """

    def __init__(self) -> None:
        self.last_chance = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Suspect every job that comes from now on."""
        self._first_job_at: float | None = None  # time.monotonic()
        self.era = object()  # changed last: it says that all this is new

    def lasts(self) -> float:
        """Return how many seconds ago the first job came."""
        now = time.monotonic()
        if self._first_job_at is None:
            self._first_job_at = now
        return now - self._first_job_at


class CrashLoopGuard:
    """Which jobs of one slot are suspect.

    A job whose worker was lost is ready again at once. beanstalkd hands out the jobs of
    one priority in the order of their ids. So as soon as a job comes that was put
    without a delay and never reserved before, none that comes after it in that order
    was lost before either. One that is lost later, by another worker, has a lower id
    than what came meanwhile, or comes next. So what runs unasked kills each process at
    most once, and the process in its place is wary again.

    One that is more urgent than the others is out of this order. It comes at once, so
    for a while each job is asked about all the same.
    """

    def __init__(self, wariness: GuardState) -> None:
        self._wariness = wariness
        self._newest = 0
        self._era = wariness.era  # all that follows was learnt in this era
        self._has_proof = False
        self._trusts = False

    def begin(self) -> None:
        """Suspect every job for a while: a reservation was lost, or the connection."""
        self._newest = 0  # the ids of a broker that lost its jobs begin again
        self._wariness.begin()

    def is_of(self, job_id: int) -> bool:
        """Tell whether to ask about the job that has come now, before it runs."""
        is_trusted = self._trusts and self._era is self._wariness.era
        if is_trusted and job_id > self._newest:
            self._newest = job_id
            return False
        return True

    def learn(self, job_id: int, stats: JobStats) -> None:
        """Take note of the answer."""
        if self._era is not self._wariness.era:
            self._era = self._wariness.era
            self._has_proof = False
        is_proof = stats.reserves == 1 and not stats.delay
        self._has_proof |= is_proof
        # Not the greatest: after one urgent job, all that waited would be out of order.
        self._newest = job_id if is_proof else max(self._newest, job_id)
        enough = WARY_FOR if self._has_proof else WARY_WITHOUT_PROOF_FOR
        self._trusts = self._wariness.lasts() > enough

    def take_last_chance(self, stats: JobStats, policy: RetryPolicy) -> bool:
        """Let a job have its last chance, if this is one; only one job has at a time.

        A job that kills its worker takes with it what runs beside it. After one loss
        fewer than is allowed, nobody can tell which of them it was. So they run one
        after the other, and only the one to blame is lost once too often.

        Returns whether it is to be given back. Raises RunLater if another job has it.
        """
        if not policy.is_last_chance(stats):
            return False
        if not self._wariness.last_chance.acquire(blocking=False):
            raise RunLater
        return True

    def give_last_chance_back(self) -> None:
        """Let another job have it."""
        self._wariness.last_chance.release()
