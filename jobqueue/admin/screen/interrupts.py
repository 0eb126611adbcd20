"""Ctrl-C, SIGTERM and SIGHUP: they end a command, but never within a batch."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform != "win32":
    _SIGNALS.append(signal.SIGHUP)


class Interrupted(BaseException):
    """A signal has ended the command."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class Interrupts:
    """Turns signals into :class:`Interrupted`.

    As a context manager, it defers a signal to the end of the block, so that nothing is
    cut short there. A second signal is not deferred.
    """

    def __init__(self) -> None:
        self._is_deferred = False
        self._pending: int | None = None

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle signals, and restore the original handlers at the end."""
        original = {signum: signal.getsignal(signum) for signum in _SIGNALS}
        for signum, handler in original.items():
            if handler is not signal.SIG_IGN:  # nohup ignores SIGHUP
                signal.signal(signum, self._handle)
        try:
            yield
        finally:
            for signum, handler in original.items():
                signal.signal(signum, handler)

    def __enter__(self) -> None:
        """Defer a signal to the end of the block."""
        self._is_deferred = True

    def __exit__(self, *_: object) -> None:
        self._is_deferred = False
        pending, self._pending = self._pending, None
        if pending is not None:
            raise Interrupted(pending)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if not self._is_deferred or self._pending is not None:
            raise Interrupted(signum)
        self._pending = signum
