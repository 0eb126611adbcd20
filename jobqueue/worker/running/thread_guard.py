"""Raising an error in a thread from outside, at a place where that tears nothing."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from functools import partial
from operator import attrgetter, call, is_, itemgetter
from typing import TYPE_CHECKING

from jobqueue.errors import TimeLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

_OWN = "jobqueue"
_CALL_OF_A_TASK = ("jobqueue.task.putter", "__call__")  # it only calls the function

# Code that takes a lock and releases it in two steps, and an error between these would
# leave it locked: the next log line, or the next import, would wait for ever.
_TAKE_LOCKS = frozenset({"logging", "threading", "weakref", "_weakrefset"})
_IMPORTS = "importlib._bootstrap"
_WAIT_FOR_PROCESSES = frozenset({"subprocess", "multiprocessing.popen_fork"})
_NAMES = frozenset({"acquire", "release", "__enter__", "__exit__", "__del__"})

_WAIT = threading.Condition.wait.__code__
_CALLERS_OF_WAIT = frozenset(
    {
        threading.Condition.wait_for.__code__,
        threading.Event.wait.__code__,
        threading.Semaphore.acquire.__code__,
    }
)


class ThreadGuard:
    """Guards code of the thread that makes the guard."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        # Exactly one of end(), interrupt() and give_way() gets to pop this. A lock
        # would not do, as the error may be raised while the thread holds it.
        self._runs = [True]
        self._is_struck = False
        self._is_awaited = False

    def interrupt(self) -> bool:
        """Have TimeLimitExceeded raised where the thread is now, if that is safe.

        Returns False if it is not. The error is raised before the thread's next line,
        or at the end of the call into C that it is in.
        """
        if not self._runs:
            return True  # it has ended, or was interrupted
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - documented
        offset = -1 if frame is None else frame.f_lasti
        if frame is None or not is_safe(frame):
            self._is_awaited = True
            return False
        try:
            self._runs.pop()
        except IndexError:
            return True
        self._is_struck = _strike(self._thread, frame, offset)
        if not self._is_struck:
            self._runs.append(True)
            return False
        _end_process_awaited_by(frame)
        return True

    def give_way(self) -> None:
        """Raise TimeLimitExceeded here, if that was put off until here.

        For the end of functions of jobqueue that a task calls, and that talk to the
        broker: in a loop of such calls no other place might ever be found.
        """
        if self._is_awaited and threading.get_ident() == self._thread:
            try:
                self._runs.pop()
            except IndexError:
                return
            self._is_struck = True
            raise TimeLimitExceeded

    def is_held_up(self) -> bool:
        """Return False: only the code itself can keep the error from being raised."""
        return False

    def is_loop_blocked(self) -> bool:
        """Return False: the code does not run on the event loop."""
        return False

    def end(self) -> None:
        """Take the error back if it has not been raised yet."""
        while True:
            try:
                self._runs.pop()
            except IndexError:
                if self._is_struck:
                    _error_setter(self._thread, None)()
                    return
                time.sleep(0)  # interrupt() is just about to decide
            else:
                return


def is_safe(frame: FrameType) -> bool:
    """Return whether an error may be raised in a thread that is in a frame now.

    It may in the code of a task or hook, and in what that calls, except in code that
    takes locks, in code of jobqueue, and on the way in or out of a ``with`` block. In
    ``__del__`` it would be lost.
    """
    at: FrameType | None = _caller_of_wait(frame)
    if _module(frame) == _IMPORTS:
        return False
    while at is not None:
        module, name = _module(at), at.f_code.co_name
        if module.rpartition(".")[0] == __package__:
            return at is not frame  # the task's code begins above
        if name in _NAMES or module in _TAKE_LOCKS:
            return False
        is_own = module.partition(".")[0] == _OWN
        if is_own and (module, name) != _CALL_OF_A_TASK:
            return False
        at = at.f_back
    return False


def _caller_of_wait(frame: FrameType) -> FrameType | None:
    """Return the frame that a ``Condition.wait`` waits for, or the frame itself.

    An error does no harm while it waits, as its code is made for a KeyboardInterrupt
    there. A task that polls an event is hardly ever anywhere else.
    """
    if frame.f_code is not _WAIT or frame.f_lasti not in _first_try(_WAIT):
        return frame
    caller = frame.f_back
    while caller is not None and caller.f_code in _CALLERS_OF_WAIT:
        caller = caller.f_back
    return caller


def _first_try(code: CodeType) -> range:
    """Return the offsets of the instructions in the first ``try`` block of some code.

    The table's format is in CPython's Objects/exception_handling_notes.txt.
    """
    numbers = []
    number = 0
    for byte in code.co_exceptiontable[:10]:
        number = number << 6 | byte & 63
        if not byte & 64:
            numbers.append(number)
            number = 0
    start, length, *_ = numbers
    return range(2 * start, 2 * (start + length))


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _strike(thread: int, frame: FrameType, offset: int) -> bool:
    """Raise TimeLimitExceeded in a thread if it is at an instruction of a frame.

    No other thread may run from the look at the thread until the error is set, or that
    thread could be elsewhere by then. So the iterators here are all C, and ``next``
    runs the whole chain with no bytecode between, which could let others run.
    """
    set_error = _error_setter(thread, TimeLimitExceeded)
    looks = map(call, [sys._current_frames])  # noqa: SLF001 - it is documented
    at_frame = filter(partial(is_, frame), map(itemgetter(thread), looks))
    at_offset = map({offset: set_error}.get, map(attrgetter("f_lasti"), at_frame))
    return bool(next(map(call, filter(None, at_offset)), 0))


def _error_setter(
    thread: int, error: type[BaseException] | None
) -> Callable[[], object]:
    """Return what sets the error that a thread raises next; None takes it back."""
    import ctypes  # noqa: PLC0415 - see TimeLimits.prepare

    return partial(
        ctypes.pythonapi.PyThreadState_SetAsyncExc,
        ctypes.c_ulong(thread),
        None if error is None else ctypes.py_object(error),
    )


def _end_process_awaited_by(frame: FrameType | None) -> None:
    """Kill the process whose end the code at a frame waits for.

    The wait is a call into C, and the error is raised at its end.
    """
    while frame is not None and _module(frame).partition(".")[0] != _OWN:
        if _module(frame) in _WAIT_FOR_PROCESSES:
            kill = getattr(frame.f_locals.get("self"), "kill", None)
            if kill is not None:
                with suppress(OSError):
                    kill()
                return
        frame = frame.f_back
