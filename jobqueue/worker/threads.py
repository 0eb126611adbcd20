"""The start of a thread, which the system may refuse."""

import threading
from collections.abc import Callable

from jobqueue.errors import JobQueueError

# What Python raises if the system starts no more threads, as a limit of processes is
# reached, or there is no memory for another stack.
NO_THREAD = (RuntimeError, MemoryError)


def start_thread(
    target: Callable[..., object], *args: object, name: str
) -> threading.Thread:
    """Start a daemon thread, and return it.

    Raises :class:`~jobqueue.errors.JobQueueError` if the system starts no more threads.
    """
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    try:
        thread.start()
    except NO_THREAD as error:
        raise JobQueueError(
            f"the thread {name} can't be started ({reason_of(error)}): start fewer "
            "threads, or raise the system's limit"
        ) from error
    return thread


def reason_of(error: BaseException) -> str:
    """Return why a thread could not be started."""
    return str(error) or "out of memory"
