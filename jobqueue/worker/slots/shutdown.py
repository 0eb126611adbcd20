"""The stop of a worker: how far it is, why, and until when running jobs may go on."""

import enum
import math
import time
from typing import NamedTuple


class Phase(enum.IntEnum):
    """How far the stop is."""

    RUNNING = 0
    DRAINING = 1  # no slot takes another job, and running jobs are waited for
    ABANDONING = 2  # running jobs are left to the broker


class StopReason(enum.StrEnum):
    """Why a worker stops, as its log says it."""

    SIGNAL = "a signal"
    HANGUP = "its terminal was closed"
    SUPERVISOR = "its supervisor stops, or has ended"
    STOP = "stop() was called"
    MAX_JOBS = "it has run as many jobs as max_jobs allows"
    STUCK_JOB = "a job does not stop at its time limit"
    SLOT_FAILED = "a slot has failed"
    NO_THREAD = "the system starts no more threads"


# Waiting for running jobs ends at a deadline for these; for the others, it does not.
_HAS_DEADLINE = {
    StopReason.SIGNAL,
    StopReason.HANGUP,
    StopReason.SUPERVISOR,
    StopReason.STUCK_JOB,
}


class StopRequest(NamedTuple):
    """A request to stop, and a text for the log, if the reason has one of its own."""

    reason: StopReason
    text: str = ""


class Shutdown:
    """The stop of one worker. Times are those of ``time.monotonic()``.

    ``shutdown_timeout`` is for how many seconds running jobs are waited for.

    RUNNING -> DRAINING at the first request. Its reason is the one that is logged.
    DRAINING -> DRAINING at a further request: the earlier deadline counts.
    DRAINING -> ABANDONING at the deadline, or at a second signal.

    Used by the thread that runs the worker, and by no other.
    """

    def __init__(self, shutdown_timeout: float) -> None:
        self._shutdown_timeout = shutdown_timeout
        self._requests: list[StopRequest] = []
        self._since = math.inf
        self._deadline = math.inf

    @property
    def phase(self) -> Phase:
        """How far the stop is."""
        if not self._requests:
            return Phase.RUNNING
        is_over = time.monotonic() >= self._deadline
        return Phase.ABANDONING if is_over else Phase.DRAINING

    @property
    def reason(self) -> str:
        """Why the worker stops: the first reason that was given."""
        first = self._requests[0]
        return first.text or str(first.reason)

    def request(self, reason: StopReason, text: str = "") -> bool:
        """Ask for the stop; return whether it begins with that.

        A second signal means: now.
        """
        reasons = [earlier.reason for earlier in self._requests]
        is_first = not reasons
        if is_first:
            self._since = time.monotonic()
        if reason is StopReason.SIGNAL and reason in reasons:
            self._deadline = -math.inf
        elif reason in _HAS_DEADLINE:
            deadline = time.monotonic() + self._shutdown_timeout
            self._deadline = min(self._deadline, deadline)
        self._requests.append(StopRequest(reason, text))
        return is_first

    def seconds_left(self) -> float:
        """Return for how long running jobs are still waited for."""
        return self._deadline - time.monotonic()

    def has_lasted(self, seconds: float) -> bool:
        """Return whether the stop began so long ago."""
        return time.monotonic() >= self._since + seconds
