"""The signals that stop or quieten a worker: handled, blocked, and given back."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from jobqueue.worker.forks import called_in_children

OnSignal = Callable[[signal.Signals], object]

_PythonHandler = Callable[[int, FrameType | None], object] | int

SECOND_SIGNAL_AFTER = 1.0  # seconds after the first: a person has seen no effect

if sys.platform == "win32":
    STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
    QUIET_SIGNAL: signal.Signals | None = None
    _ALL = STOP_SIGNALS
else:
    STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    QUIET_SIGNAL = signal.SIGUSR1
    _ALL = (*STOP_SIGNALS, QUIET_SIGNAL)


class _Handler:
    """Passes a signal on, and knows the handlers that it has replaced."""

    def __init__(self, on_signal: OnSignal) -> None:
        self.on_signal = on_signal
        self.replaced = {signum: _handler_of(signum) for signum in _signals_to_handle()}

    def __call__(self, signum: int, _frame: FrameType | None) -> None:
        self.on_signal(signal.Signals(signum))


def handle_signals(on_signal: OnSignal) -> _Handler:
    """Call ``on_signal`` at each signal that stops or quietens a worker, from now on.

    SIGHUP and SIGUSR1 (which quietens it) are left alone where they are ignored, as
    SIGHUP is under ``nohup``, and where the application has a handler of its own, which
    reloads a configuration, say.

    As :func:`handling_signals` does, but for good. A forked child has to call
    :func:`restore_original_handlers`.
    """
    handler = _Handler(on_signal)
    for signum in handler.replaced:
        signal.signal(signum, handler)
    return handler


@contextmanager
def handling_signals(on_signal: OnSignal, wakeup_fd: int) -> Iterator[None]:
    """Call ``on_signal`` at each signal to a worker; then restore the handlers.

    At which signals is as for :func:`handle_signals`.

    The system may deliver a signal to any thread. Whichever it is writes a byte to the
    socket ``wakeup_fd``, so that the main thread wakes up and calls ``on_signal``.

    The call comes between any two bytecodes of the main thread, inside of a lock or a
    log line too, so ``on_signal`` has to be safe there. Outside of the main thread,
    where Python allows no signal handlers, this does nothing.

    A child that a task forks gets back the handlers from before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    with called_in_children(restore_original_handlers), _wakeup_fd_set(wakeup_fd):
        handler = handle_signals(on_signal)
        try:
            yield
        finally:
            for signum, replaced in handler.replaced.items():
                signal.signal(signum, replaced)


@contextmanager
def handling_child_exits(on_exit: Callable[[], object]) -> Iterator[None]:
    """Call ``on_exit`` when a child process ends, on systems with SIGCHLD."""
    if sys.platform == "win32":
        yield
        return
    replaced = signal.signal(signal.SIGCHLD, lambda *_: on_exit())
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, replaced)


class Impatience:
    """Finds the signal by which a person says not to wait for the running jobs.

    That is a second SIGTERM or SIGINT at least a second after the first. One that comes
    sooner is the same stop, told twice: ``timeout`` and some stop commands signal a
    process and then its group, and a terminal or a service manager signals the
    supervisor and each process.
    """

    def __init__(self) -> None:
        self._first_at: float | None = None

    def is_shown_at(self, at: float) -> bool:
        """Return whether a SIGTERM or SIGINT at this ``time.monotonic()`` shows it."""
        if self._first_at is None:
            self._first_at = at
        return at >= self._first_at + SECOND_SIGNAL_AFTER


def is_impatient(signum: signal.Signals) -> bool:
    """Return whether a signal, as the second one, says not to wait for running jobs.

    SIGHUP never does: a terminal that closes may send several, and a service manager
    may send one right after SIGTERM.
    """
    return signum in {signal.SIGTERM, signal.SIGINT}


def block_signals() -> None:
    """Defer the signals to a worker until they are unblocked."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)


def block_quiet_signal() -> None:
    """Defer SIGUSR1, which would end a process without a handler, until unblocked."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})


def unblock_signals() -> None:
    """Deliver the signals to a worker, those that were blocked included."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ALL)


def restore_original_handlers() -> None:
    """Restore, in a forked child, the handlers from before any of ours.

    It must not wait until a signal arrives: in Python 3.13, a child that was forked
    from another than the main thread handles its first signal late.
    """
    for signum in _ALL:
        handler = _handler_of(signum)
        while isinstance(handler, _Handler):
            handler = handler.replaced[signum]
            signal.signal(signum, handler)


def _signals_to_handle() -> list[signal.Signals]:
    return [
        signum
        for signum in _ALL
        if is_impatient(signum) or _is_default_or_ours(_handler_of(signum))
    ]


def _is_default_or_ours(handler: _PythonHandler) -> bool:
    return isinstance(handler, _Handler) or handler == signal.SIG_DFL


def _handler_of(signum: signal.Signals) -> _PythonHandler:
    return signal.getsignal(signum) or signal.SIG_DFL  # None: it was not set by Python


@contextmanager
def _wakeup_fd_set(fd: int) -> Iterator[None]:
    replaced = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    try:
        # In a child, the number may soon be that of another file.
        with called_in_children(lambda: signal.set_wakeup_fd(-1)):
            yield
    finally:
        signal.set_wakeup_fd(replaced)
