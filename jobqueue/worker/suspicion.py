"""Which jobs may have been lost before, so that the broker is asked for their counts.

To ask takes a round trip, which most jobs shall not cost. But a job that kills each
worker must not come back for ever.
"""

import threading
import time

from jobqueue.outcome import JobStats

# The heartbeat asks, too, about a job that has run for a while: not later than this.
WARY_FOR = 0.5  # seconds


class Wariness:
    """How a process suspects every job: at first, and after it has lost a reservation.

    A job whose worker was lost is ready again at once. So it is among the first that
    come to the next worker, unless yet another one has it, and is lost in its turn.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Suspect every job that comes from now on, and for a while after the first."""
        with self._lock:
            self._until: float | None = None  # time.monotonic(); None: none has come
            self._is_over = False

    def is_on(self) -> bool:
        """Tell whether the job that has come now is under suspicion."""
        if self._is_over:
            return False
        with self._lock:
            now = time.monotonic()
            if self._until is None:
                self._until = now + WARY_FOR
            self._is_over = now > self._until
            return not self._is_over


class Suspicion:
    """Which jobs of one slot are suspect, once its process is not wary any more.

    beanstalkd hands out the jobs of one priority in the order of their ids. So when a
    job comes that was not reserved before, none after it was, either. It may be later,
    by another worker; but if that is lost, it comes out of order, with a lower id than
    the last one, or is the very next. So a process is killed at most once by a job that
    it has not asked about; the next in its place is wary.
    """

    def __init__(self, wariness: Wariness) -> None:
        self._wariness = wariness
        self._newest = 0

    def begin(self) -> None:
        """Suspect every job for a while: a reservation was lost, or the connection."""
        self._newest = 0  # the ids of a broker that lost its jobs begin again
        self._wariness.begin()

    def is_of(self, job_id: int) -> bool:
        """Tell whether to ask about the job that has come now, before it runs."""
        if job_id <= self._newest or self._wariness.is_on():
            return True
        self._newest = job_id
        return False

    def learn(self, job_id: int, stats: JobStats) -> None:
        """Take note of the answer."""
        is_new = stats.reserves == 1
        # Not the greatest: after one urgent job, all that waited would be out of order.
        self._newest = job_id if is_new else max(self._newest, job_id)
