"""Ending a process, whatever its threads do."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, ParamSpec

P = ParamSpec("P")

THREAD_NAME = "jobqueue-call-with-timeout"


def call_with_timeout(
    call: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Call something that may block, and wait a second for it at most.

    A log line blocks while nobody reads the pipe that it goes to, and while a task
    holds the log's lock. Stopping must not depend on that.
    """
    thread = threading.Thread(
        target=call, args=args, kwargs=kwargs, name=THREAD_NAME, daemon=True
    )
    try:
        thread.start()
    except RuntimeError:  # the system has no thread left: then without
        call(*args, **kwargs)
    else:
        thread.join(1)


def is_blocked() -> bool:
    """Tell whether a call made with a timeout still blocks."""
    return any(thread.name == THREAD_NAME for thread in threading.enumerate())


def flush_output() -> None:
    """Write out what was printed, unless that blocks."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it was closed when the process began
            call_with_timeout(stream.flush)


def exit_now(status: int = 0) -> NoReturn:
    """End the process, whatever its other threads do.

    What tasks have printed is written out before. ``sys.exit`` would not do: it waits
    for threads.
    """
    flush_output()
    os._exit(status)


def end_child(error: BaseException | None) -> NoReturn:
    """End a process that a task has forked and that came back from it.

    The job is its parent's to settle, and this process is no worker.
    """
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    code = error.code if isinstance(error, SystemExit) else error is not None
    os._exit(code if isinstance(code, int) else 1)
