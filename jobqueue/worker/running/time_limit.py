"""Time limits: raising an error inside code that runs for too long."""

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

# Between some of their lines these modules hold a lock. An error raised there would
# leave it locked, and the next log line, or the next import, would wait for ever.
_TAKE_LOCKS = frozenset({"logging", "threading", "importlib._bootstrap"})

J = TypeVar("J")


class Guard(Protocol):
    """Guards code that runs, and can interrupt it."""

    def interrupt(self, *, at_once: bool) -> bool:
        """Raise TimeLimitExceeded inside the code, if it still runs.

        Returns False, without interrupting, if this moment is not safe. With
        ``at_once`` every moment is taken.
        """
        ...

    def is_held_up(self) -> bool:
        """Return whether other code keeps the error from being raised."""
        ...

    def is_loop_blocked(self) -> bool:
        """Return whether this code or other code blocks the event loop of this code."""
        ...

    def end(self) -> None:
        """Do not interrupt from now on. Called by the code's own thread at its end."""
        ...


class ThreadGuard:
    """Guards code of the thread that makes the guard."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        # Exactly one of end() and interrupt() gets to pop this. A lock would not do, as
        # the error may be raised while the thread holds it.
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

    def is_loop_blocked(self) -> bool:
        """Return False: the code does not run on the event loop."""
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
        self._looks_at = math.inf  # time.monotonic() of the thread's next look
        self._thread: threading.Thread | None = None
        self._closed = False

    def prepare(self) -> None:
        """Load ctypes, which raises the error: later that may be impossible.

        By then the process may have no file descriptor left, or a stuck job may hold
        the import lock. Without any time limit the module is not needed.
        """
        import ctypes  # noqa: F401, PLC0415

    @contextmanager
    def watching(self, seconds: float, job: J, guard: Guard) -> Iterator[None]:
        """Interrupt the code of a ``with`` block after this many seconds."""
        # The error may be raised at any point until guard.end() returns. So whatever
        # must happen for certain comes after that.
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
            if watched.due < self._looks_at:  # rare: most limits are alike
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
