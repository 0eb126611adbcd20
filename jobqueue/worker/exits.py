"""The end of a process: calls with a time-out, output flushed, no thread waited for."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn, ParamSpec

from jobqueue.errors import JobQueueError
from jobqueue.worker.threads import start_thread

P = ParamSpec("P")

CALL_TIMEOUT = 1.0  # seconds
THREAD_NAME = "jobqueue-call-with-timeout"


def call_with_timeout(
    call: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Call something that may block, and wait for it for ``CALL_TIMEOUT`` at most.

    A log line blocks while nobody reads the pipe that it goes to, or while a task holds
    the log's lock. Stopping must not depend on that.
    """
    thread = start_call(call, *args, **kwargs)
    if thread is not None:
        thread.join(CALL_TIMEOUT)


def start_call(
    call: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> threading.Thread | None:
    """Call something that may block, in a thread; return the thread.

    If the system starts no more threads, the call is made, and None returned.
    """
    try:
        return start_thread(partial(call, *args, **kwargs), name=THREAD_NAME)
    except JobQueueError:
        call(*args, **kwargs)
        return None


def is_blocked() -> bool:
    """Return whether a call made with a time-out still blocks."""
    return any(thread.name == THREAD_NAME for thread in threading.enumerate())


def flush_output() -> None:
    """Flush standard output and standard error, unless that blocks."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it was closed when the process began
            call_with_timeout(stream.flush)


def exit_now(status: int = 0) -> NoReturn:
    """End the process, whatever its other threads do; ``sys.exit`` waits for them.

    The output of tasks is flushed first.
    """
    flush_output()
    os._exit(status)


def end_child(error: BaseException | None) -> NoReturn:
    """End a process that a task has forked and that returned from the task.

    Its parent settles the job. The forked process is no worker.
    """
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    code = error.code if isinstance(error, SystemExit) else error is not None
    os._exit(code if isinstance(code, int) else 1)
