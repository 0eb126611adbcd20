"""Which jobs may have been lost before, so that the broker is asked for their counts.

To ask takes a round trip, which most jobs shall not cost. But a job that kills each
worker must not come back for ever.
"""

import threading
import time


class Suspicion:
    """Clears the jobs that were put after this process began: none was lost before.

    Ids rise, so once one job is seen to be younger than the process, those with higher
    ids are, too. Any other is worth a question; that holds for the jobs that waited
    when the process started, and after it has lost a reservation.

    So a process runs at most one job that kills it without having asked: after that,
    another takes its place, and the job is older than that one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Suspect all jobs that have been put until now."""
        with self._lock:
            self._began = time.monotonic()
            self._cleared_from: float = float("inf")  # this job's id

    def is_on(self, job_id: int) -> bool:
        """Tell whether the job may have been lost before."""
        return job_id < self._cleared_from

    def learn(self, job_id: int, age: int) -> None:
        """Take note of how many seconds ago a job was put."""
        with self._lock:
            # The broker counts whole seconds, and may have rounded down.
            if age + 1 < time.monotonic() - self._began:
                self._cleared_from = min(self._cleared_from, job_id)
