"""SIGTERM and SIGINT, and stopping whatever else goes on."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ParamSpec

from jobqueue.worker.forks import called_in_children

P = ParamSpec("P")

_AnyHandler = Callable[[int, FrameType | None], object] | int

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Handler:
    """Notes a signal, and knows what was done with it before."""

    def __init__(self, note: Callable[[], object]) -> None:
        self.note = note
        self.before = {signum: _handler_of(signum) for signum in SIGNALS}

    def __call__(self, _signum: int, _frame: FrameType | None) -> None:
        self.note()


def notice(note: Callable[[], object]) -> _Handler:
    """Call ``note`` at each SIGTERM and SIGINT from now on.

    As :func:`handling_signals` does, but for good.
    Children have to :func:`put_back` what was there before.
    """
    handler = _Handler(note)
    for signum in SIGNALS:
        signal.signal(signum, handler)
    return handler


@contextmanager
def handling_signals(note: Callable[[], object], wakeup_fd: int) -> Iterator[None]:
    """Call ``note`` at each SIGTERM and SIGINT; in the end all is as it was before.

    A byte is written to the socket ``wakeup_fd`` then, from whatever thread the system
    has handed the signal to, so that the main thread wakes up and can call it.

    It is called between any two bytecodes of the main thread, inside of a lock or a log
    line too, so it has to be something that is safe there. Outside of the main thread,
    where Python lets nobody handle signals, this does nothing.

    A child that a task forks has the handlers that were there before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    with called_in_children(put_back), _waking(wakeup_fd):
        handler = notice(note)
        try:
            yield
        finally:
            for signum in SIGNALS:
                signal.signal(signum, handler.before[signum])


@contextmanager
def _waking(fd: int) -> Iterator[None]:
    before = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    try:
        # In a child, the number may soon be that of another file.
        with called_in_children(lambda: signal.set_wakeup_fd(-1)):
            yield
    finally:
        signal.set_wakeup_fd(before)


@contextmanager
def children_noticed(note: Callable[[], object]) -> Iterator[None]:
    """Call ``note`` at the end of each child process, on systems that tell of it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGCHLD, lambda *_: note())
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def block_signals(*, block: bool) -> None:
    """Let signals wait, or let them come."""
    if sys.platform != "win32":
        how = signal.SIG_BLOCK if block else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, SIGNALS)


def put_back() -> None:
    """Put back, in a forked child, what was there before any of our handlers.

    At once and not when a signal comes: a child that another than the main thread has
    forked notices one late, in Python 3.13.
    """
    for signum in SIGNALS:
        handler = _handler_of(signum)
        while isinstance(handler, _Handler):
            handler = handler.before[signum]
        signal.signal(signum, handler)


def _handler_of(signum: signal.Signals) -> _AnyHandler:
    return signal.getsignal(signum) or signal.SIG_DFL  # None: it is not Python's
