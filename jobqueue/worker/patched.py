"""Processes in which gevent or eventlet has replaced Python's threads by greenlets.

A worker runs there, with greenlets for its slots. They give way to each other only
where a job waits in Python: what that means is logged, and what can't be is refused.
"""

import _thread
import sys
from collections.abc import Sequence
from types import BuiltinFunctionType

from jobqueue.errors import JobQueueError
from jobqueue.task.definition import Task


def has_real_threads() -> bool:
    """Return whether a new thread is one of the system's, and no greenlet."""
    return isinstance(_thread.start_new_thread, BuiltinFunctionType)


def patching_library() -> str:
    """Return the name of the library that has replaced the threads."""
    names = [name for name in ("gevent", "eventlet") if name in sys.modules]
    return " or ".join(names) or "a library"


def check_limits_of_greenlets(tasks: Sequence[Task], time_limit: float | None) -> None:
    """Raise JobQueueError for time limits that can't be kept in greenlets.

    An error can be raised from outside in a thread, and where an ``async`` task awaits,
    but not in a greenlet.
    """
    if has_real_threads():
        return
    import inspect  # noqa: PLC0415 - rarely needed

    limited = [
        task.func_name
        for task in tasks
        if (task.time_limit or time_limit)
        and not inspect.iscoroutinefunction(inspect.unwrap(task.func))
    ]
    if limited:
        raise JobQueueError(
            f"the time limit of {', '.join(limited)} can't be kept, as "
            f"{patching_library()} has replaced Python's threads (monkey-patching): "
            "import the tasks without that patch, make them async, or use "
            f"{patching_library()}'s own time-outs in place of the limit"
        )
