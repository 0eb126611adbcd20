"""The stop of a worker: its phase, its reason, and the deadline of running jobs.

Before its stop, a worker may be told to be quiet: it takes no more jobs, and stays.
"""

import enum
import math
import time
from typing import NamedTuple

from jobqueue.worker.processes.signals import Impatience


class Phase(enum.IntEnum):
    """The phase of a stop."""

    RUNNING = 0
    QUIET = 1  # no slot takes another job; the worker waits to be stopped
    DRAINING = 2  # no slot takes another job; the worker waits for running jobs
    ABANDONING = 3  # the worker waits no longer; the broker hands out the jobs anew


class StopReason(enum.StrEnum):
    """The reason why a worker stops, as its log says it."""

    SIGNAL = "a signal"
    HANGUP = "its terminal was closed"
    SUPERVISOR = "its supervisor stops, or has ended"
    NO_PATIENCE = "its supervisor waits no longer"
    STOP = "stop() was called"
    RELOAD = "the code of its tasks has changed"
    MAX_JOBS = "it has run as many jobs as max_jobs allows"
    STUCK_JOB = "a job does not stop at its time limit"
    BLOCKED_LOOP = "a job blocks the event loop, and a time limit is over"
    SLOT_FAILED = "a slot has failed"
    NO_THREAD = "the system starts no more threads"


# For these reasons the wait for running jobs has a deadline; for the others, none. A
# stuck job is buried, and the jobs beside it may take as long as they need; but a job
# that blocks the event loop may block it for ever, and with it other jobs.
_HAS_DEADLINE = {
    StopReason.SIGNAL,
    StopReason.HANGUP,
    StopReason.SUPERVISOR,
    StopReason.RELOAD,
    StopReason.BLOCKED_LOOP,
}


class QuietRequest(NamedTuple):
    """A request to be quiet, and why, as the log says it."""

    reason: str
    at: float  # time.monotonic()


class StopRequest(NamedTuple):
    """A request to stop. The log says ``text``, if there is one, and not the reason."""

    reason: StopReason
    text: str = ""
    at: float | None = None  # time.monotonic(); None: now


class Shutdown:
    """The stop of one worker. Times are those of ``time.monotonic()``.

    ``shutdown_timeout`` is how many seconds the worker waits for running jobs.

    RUNNING -> QUIET at a request to be quiet.
    RUNNING or QUIET -> DRAINING at the first request to stop. Its reason is the one
    that is logged.
    DRAINING -> DRAINING at a further request: the earlier deadline counts.
    DRAINING -> ABANDONING at the deadline, at a second SIGTERM or SIGINT (see
    :class:`~jobqueue.worker.processes.signals.Impatience`), or when the supervisor says
    so.

    Only the thread that runs the worker uses this.
    """

    def __init__(self, shutdown_timeout: float) -> None:
        self._shutdown_timeout = shutdown_timeout
        self._requests: list[StopRequest] = []
        self._impatience = Impatience()
        self._is_quiet = False
        self._since = math.inf  # no slot takes another job
        self._deadline = math.inf

    @property
    def phase(self) -> Phase:
        """The phase of the stop now."""
        if not self._requests:
            return Phase.QUIET if self._is_quiet else Phase.RUNNING
        is_over = time.monotonic() >= self._deadline
        return Phase.ABANDONING if is_over else Phase.DRAINING

    @property
    def reason(self) -> str:
        """The reason that the log gives: that of the first request."""
        first = self._requests[0]
        return first.text or str(first.reason)

    @property
    def abandon_reason(self) -> str:
        """The reason why the worker waits for its running jobs no longer."""
        if self._deadline == -math.inf:
            return "a second signal"
        return f"the shutdown timeout of {self._shutdown_timeout:g} s is over"

    def request_quiet(self, at: float) -> bool:
        """Request to be quiet; return whether that changes anything."""
        if self.phase is not Phase.RUNNING:
            return False
        self._is_quiet = True
        self._since = at
        return True

    def request(
        self, reason: StopReason, text: str = "", at: float | None = None
    ) -> bool:
        """Request the stop; return whether this is the first request.

        ``at`` is when the request was made; without it, now.
        """
        at = time.monotonic() if at is None else at
        is_first = not self._requests
        if is_first:
            self._since = min(self._since, at)
        is_signal = reason is StopReason.SIGNAL
        if reason is StopReason.NO_PATIENCE or (
            is_signal and self._impatience.is_shown_at(at)
        ):
            self._deadline = -math.inf
        elif reason in _HAS_DEADLINE:
            self._deadline = min(self._deadline, at + self._shutdown_timeout)
        self._requests.append(StopRequest(reason, text, at))
        return is_first

    def seconds_left(self) -> float:
        """Return for how many more seconds the worker waits for running jobs."""
        return self._deadline - time.monotonic()

    def has_lasted(self, seconds: float) -> bool:
        """Return whether slots have taken no other jobs for at least this long."""
        return time.monotonic() >= self._since + seconds
