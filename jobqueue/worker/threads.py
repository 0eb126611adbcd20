"""The start of a thread, which the system may refuse."""

import sys
import threading
from collections.abc import Callable

from jobqueue.errors import JobQueueError

# What Python raises if the system starts no more threads, as a limit of processes is
# reached, or there is no memory for another stack.
NO_THREAD = (RuntimeError, MemoryError)

_WORDS = 24  # of a thread's state in Python 3.11, up to its id and some more


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
        if isinstance(error, RuntimeError):
            _forget_failed_start()
        raise JobQueueError(
            f"the thread {name} can't be started ({reason_of(error)}): start fewer "
            "threads, or raise the system's limit"
        ) from error
    return thread


def reason_of(error: BaseException) -> str:
    """Return why a thread could not be started."""
    return str(error) or "out of memory"


def _forget_failed_start() -> None:
    """Delete what Python 3.11 leaves behind when it can't start a thread.

    That is the state of the thread to be, under the id of the thread that has tried. An
    error that a time limit raises in the latter would be set there, and get lost. Later
    versions give it no id: see ``new_threadstate`` in CPython's Python/pystate.c.
    """
    ctypes = sys.modules.get("ctypes")  # without it nothing raises errors in threads
    if sys.version_info >= (3, 12) or ctypes is None:
        return
    pointer, call = ctypes.c_void_p, ctypes.PYFUNCTYPE
    own = call(pointer)(("PyThreadState_Get", ctypes.pythonapi))()
    interpreter = call(pointer)(("PyInterpreterState_Get", ctypes.pythonapi))()
    newest_of = call(pointer, pointer)(
        ("PyInterpreterState_ThreadHead", ctypes.pythonapi)
    )
    newest = newest_of(interpreter)  # unless another thread was started just now
    first_words = ctypes.c_ulong * _WORDS
    ident = threading.get_ident()
    own_words = list(first_words.from_address(own))
    if newest == own or ident not in own_words:  # it is a greenlet's
        return
    if first_words.from_address(newest)[own_words.index(ident)] == ident:
        call(None, pointer)(("PyThreadState_Delete", ctypes.pythonapi))(newest)
