"""SIGTERM and SIGINT: drain, and in the end don't wait."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import ParamSpec

P = ParamSpec("P")


@contextmanager
def draining_on_signals(
    drain: Callable[[], None], abandon: Callable[[], None], patience: float
) -> Iterator[None]:
    """Call ``drain`` at the first SIGTERM or SIGINT, from a thread of its own.

    ``abandon`` is called at the second one, or when ``patience`` seconds have passed.
    At the end, the handlers that were there before are put back. Outside of the main
    thread, where Python lets nobody handle signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    # A handler may interrupt the main thread anywhere, inside of a lock or a log line
    # too. So it does the one thing that is safe there; all else is the thread's.
    received: SimpleQueue[int | None] = SimpleQueue()
    worker_process = os.getpid()

    def note(signum: int, _frame: FrameType | None) -> None:
        if os.getpid() == worker_process:
            received.put(signum)
        else:  # in a child that a task has forked, signals mean what they did before
            signal.signal(signum, handlers_before[signal.Signals(signum)])
            os.kill(os.getpid(), signum)

    def watch() -> None:
        if received.get() is None:
            return
        drain()
        try:
            if received.get(timeout=patience) is None:
                return
        except Empty:
            pass
        abandon()

    watcher = threading.Thread(target=watch, name="jobqueue-signals", daemon=True)
    watcher.start()
    handlers_before = {
        signum: signal.getsignal(signum) or signal.SIG_DFL
        for signum in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        for signum in handlers_before:
            signal.signal(signum, note)
        yield
    finally:
        for signum, handler in handlers_before.items():
            signal.signal(signum, handler)
        received.put(None)
        watcher.join()


def briefly(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call something that may block, and wait a second for it at most.

    A log line blocks while nobody reads the pipe that it goes to, and while a task
    holds the log's lock. Stopping must not depend on that.
    """
    thread = threading.Thread(target=call, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    thread.join(1)
