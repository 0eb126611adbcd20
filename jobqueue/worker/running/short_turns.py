"""Looking at other threads at any moment, not only when they wait."""

import sys

_SHORT = 0.000_01  # seconds
_PR_SET_TIMERSLACK = 29  # from Linux's prctl.h
_TIMER_SLACK = 1000  # nanoseconds: Linux lets a thread oversleep by 50,000


class ShortTurns:
    """Has the threads of a process take short turns for a while.

    The thread that watches the time limits runs when another gives way to it. One that
    often waits for a moment, for the log's file say, gives way only then, unless it is
    asked sooner: it would never be found anywhere else.
    """

    def __init__(self) -> None:
        self._interval: float | None = None  # seconds: of usual turns
        self._is_punctual = False

    def begin(self) -> None:
        """Have threads take short turns. To be called in the thread that looks."""
        if self._interval is None:
            self._interval = sys.getswitchinterval()
            sys.setswitchinterval(_SHORT)
        if not self._is_punctual and sys.platform == "linux":
            import ctypes  # noqa: PLC0415 - see TimeLimits.prepare

            ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(_TIMER_SLACK))
        self._is_punctual = True

    def end(self) -> None:
        """Have them take their usual turns."""
        if self._interval is not None:
            sys.setswitchinterval(self._interval)
            self._interval = None
