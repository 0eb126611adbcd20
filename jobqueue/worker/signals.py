"""SIGTERM and SIGINT, and stopping whatever else goes on."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, ParamSpec

P = ParamSpec("P")


@contextmanager
def noticed(note: Callable[[], object]) -> Iterator[None]:
    """Call ``note`` at each SIGTERM and SIGINT; in the end all is as it was before.

    It is called between any two bytecodes of the main thread, inside of a lock or a log
    line too, so it has to be something that is safe there. Outside of the main thread,
    where Python lets nobody handle signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    process = os.getpid()

    def handle(signum: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            note()
        else:  # in a child that a task has forked, signals mean what they did before
            signal.signal(signum, handlers_before[signal.Signals(signum)])
            os.kill(os.getpid(), signum)

    handlers_before = {
        signum: signal.getsignal(signum) or signal.SIG_DFL
        for signum in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        for signum in handlers_before:
            signal.signal(signum, handle)
        yield
    finally:
        for signum, handler in handlers_before.items():
            signal.signal(signum, handler)


def briefly(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call something that may block, and wait a second for it at most.

    A log line blocks while nobody reads the pipe that it goes to, and while a task
    holds the log's lock. Stopping must not depend on that.
    """
    thread = threading.Thread(target=call, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    thread.join(1)


def exit_now() -> NoReturn:
    """End the process with status 0, whatever its other threads do.

    What tasks have printed is written out before. ``sys.exit`` would not do: it waits
    for threads.
    """
    for stream in (sys.stdout, sys.stderr):
        briefly(stream.flush)
    os._exit(0)
