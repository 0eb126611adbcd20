"""The signal that stops a worker, and the jobs that fail by it."""

import time

from jobqueue.worker.forks import trace_of_ended_children
from jobqueue.worker.settings import Timings


class StopSignal:
    """Whether a signal that stops the worker has come, as a slot has to know it."""

    def __init__(self, timings: Timings) -> None:
        self.has_come = False
        self._timings = timings
        self._ended_children = 0  # their trace at the last job that failed

    def came_before_now(self) -> bool:
        """Return whether the signal came before the job failed that is in hand.

        A job may fail by it just before the main thread handles it, as the signal has
        ended a program that the job was waiting for. So if a child process has ended
        since the last job that failed, this waits a moment for the signal.
        """
        before, self._ended_children = self._ended_children, trace_of_ended_children()
        if self._ended_children != before:
            deadline = time.monotonic() + self._timings.signal_patience
            while not self.has_come and time.monotonic() < deadline:
                time.sleep(self._timings.signal_poll)
        return self.has_come
