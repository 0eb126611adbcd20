"""Which jobs may have been lost before, so that the broker is asked for their counts.

To ask takes a round trip, which most jobs shall not cost. But a job that kills each
worker must not come back for ever.
"""

import threading
import time
from collections.abc import Mapping

from jobqueue.outcome import JobStats

MOST_AT_ONCE = 64

_NONE = range(0)


class Suspicion:
    """Clears the jobs that were put after this process began: none was lost before.

    Ids rise, so once one job is seen to be younger than the process, those with higher
    ids are, too. Any other is worth a question; that holds for the jobs that waited
    when the process started, and after it has lost a reservation. The next ids are
    asked about in the same round trip, as their jobs may well come next: the more of
    them, the more of the last ones did.

    So a process runs at most one job that kills it without having asked in good time:
    after that, another takes its place, and the job is older than that one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Suspect all jobs that have been put until now."""
        with self._lock:
            self._began = time.monotonic()
            self._cleared_from: float = float("inf")  # this job's id
            self._cleared: set[int] = set()  # and these jobs, for one run each
            self._came = 0  # how many of them did, since the last question

    def ids_to_ask(self, job_id: int) -> range:
        """Return which jobs to ask about before this one runs; none if it is clear."""
        if job_id >= self._cleared_from:
            return _NONE
        with self._lock:
            if job_id in self._cleared:
                self._cleared.remove(job_id)
                self._came += 1
                return _NONE
            count = min(2 * (self._came + 1), MOST_AT_ONCE)
            self._came = 0
            return range(job_id, job_id + count)

    def learn(self, job_id: int, counts: Mapping[int, JobStats]) -> None:
        """Take note of the answer to a question about a job, and the next ones."""
        with self._lock:
            uptime = time.monotonic() - self._began
            self._cleared = {
                other
                for other, stats in counts.items()
                if other != job_id and stats.was_never_lost
            }
            for asked, stats in counts.items():
                # The broker counts whole seconds, and may have rounded down.
                if stats.age + 1 < uptime:
                    self._cleared_from = min(self._cleared_from, asked)
