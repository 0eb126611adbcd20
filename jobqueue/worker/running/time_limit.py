"""Time limits: raising an error inside of what runs for too long."""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from jobqueue.errors import TimeLimitExceeded
from jobqueue.worker.settings import Timings

# Between two lines of theirs a lock is held that an error raised there would leave
# locked: the next line to be logged, or the next import, would wait for ever.
_TAKE_LOCKS = frozenset({"logging", "threading", "importlib._bootstrap"})

J = TypeVar("J")


class Guard(Protocol):
    """Code that runs, and can be interrupted."""

    def interrupt(self, *, at_once: bool) -> bool:
        """Raise TimeLimitExceeded inside of the code, if it still runs.

        Returns False if now is no safe moment, unless ``at_once``.
        """
        ...

    def is_held_up(self) -> bool:
        """Return whether other code keeps the error from being raised."""
        ...

    def end(self) -> None:
        """Interrupt the code no more. Called by the code itself, when it has ended."""
        ...


class ThreadGuard:
    """Guards the code that runs in the thread that makes this."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        # Exactly one of end() and interrupt() gets to pop this. A lock would not do, as
        # the error may be raised inside of its holder.
        self._runs = [True]
        self._interrupted = threading.Event()

    def interrupt(self, *, at_once: bool) -> bool:
        """Have TimeLimitExceeded raised before the thread's next bytecode.

        Returns False if the thread may be taking a lock.
        """
        if not at_once and _takes_lock(self._thread):
            return False
        try:
            self._runs.pop()
        except IndexError:
            return True
        _raise_in(self._thread, TimeLimitExceeded)
        self._interrupted.set()
        return True

    def is_held_up(self) -> bool:
        """Return False: only the code itself can keep the error from being raised."""
        return False

    def end(self) -> None:
        """Take the error back if it has not been raised yet."""
        try:
            self._runs.pop()
        except IndexError:
            self._interrupted.wait()
            _raise_in(self._thread, None)


def _takes_lock(thread: int) -> bool:
    """Return whether a thread is in code that takes locks, or releases them."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - it is documented
    return frame is not None and frame.f_globals.get("__name__") in _TAKE_LOCKS


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    import ctypes  # noqa: PLC0415 - see TimeLimits.prepare

    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )


@dataclass(slots=True)
class _Watched(Generic[J]):
    due: float  # time.monotonic()
    job: J
    interrupted: bool = False


class TimeLimits(Generic[J]):
    """Watches jobs that have a time limit, from a thread of its own.

    A job that was interrupted and still runs after a grace of 5 seconds is passed to
    ``on_stuck``, with its guard.
    """

    def __init__(
        self,
        on_stuck: Callable[[J, Guard], object] = lambda *_: None,
        timings: Timings = Timings(),  # noqa: B008 - it is frozen
    ) -> None:
        self._on_stuck = on_stuck
        self._timings = timings
        self._changed = threading.Condition()
        self._watched: dict[Guard, _Watched[J]] = {}
        self._looks_at = math.inf  # when the thread looks next
        self._thread: threading.Thread | None = None
        self._closed = False

    def prepare(self) -> None:
        """Load the module that raises the error: later that may be impossible.

        Then no more files may be opened, or a stuck job may hold the import lock. Where
        no task has a limit, the module is not needed.
        """
        import ctypes  # noqa: F401, PLC0415

    @contextmanager
    def watching(self, seconds: float, job: J, guard: Guard) -> Iterator[None]:
        """Interrupt the code inside when it runs for longer than these seconds."""
        # The error may be raised at any point until guard.end() returns. So nothing
        # that has to be done for certain stands before that.
        try:
            try:
                self._watch(guard, _Watched(time.monotonic() + seconds, job))
                yield
            finally:
                guard.end()
        except TimeLimitExceeded as error:
            error.args = error.args or (f"it ran for longer than {seconds:g} s",)
            raise
        finally:
            with self._changed:
                self._watched.pop(guard, None)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, guard: Guard, watched: _Watched[J]) -> None:
        with self._changed:
            self._watched[guard] = watched
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._look, name="jobqueue-time-limits", daemon=True
                )
                self._thread.start()
            if watched.due < self._looks_at:  # rarely: the limits are much the same
                self._changed.notify()

    def _look(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for guard, watched in list(self._watched.items()):
                    if watched.due <= now:
                        self._act(guard, watched, now)
                dues = (watched.due for watched in self._watched.values())
                self._looks_at = min(dues, default=math.inf)
                wait = max(self._looks_at - now, self._timings.interrupt_retry)
                self._changed.wait(None if wait == math.inf else min(wait, 3600))

    def _act(self, guard: Guard, watched: _Watched[J], now: float) -> None:
        if watched.interrupted:
            del self._watched[guard]
            self._on_stuck(watched.job, guard)
            return
        latest = watched.due + self._timings.longest_interrupt_deferral
        if guard.interrupt(at_once=now >= latest):
            watched.interrupted = True
            watched.due = now + self._timings.time_limit_grace
