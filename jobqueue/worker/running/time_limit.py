"""Time limits: raising an error inside code that runs for too long."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from jobqueue.errors import JobQueueError, TimeLimitExceeded
from jobqueue.job.outcome import RunLater
from jobqueue.worker.running.short_turns import ShortTurns
from jobqueue.worker.settings import Timings
from jobqueue.worker.threads import start_thread


class Limited(Protocol):
    """A job, as far as limiting it needs to know."""

    def publish_deadline(self, seconds: float | None) -> None:
        """Publish how long the call may still take; None: it has ended."""
        ...


J = TypeVar("J", bound=Limited)


class Guard(Protocol):
    """Guards code that runs, and can interrupt it."""

    def interrupt(self) -> bool:
        """Interrupt the code, if it still runs.

        Returns False, without interrupting, if this moment is not safe.
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


@dataclass(slots=True)
class _Watched(Generic[J]):
    due: float  # time.monotonic()
    job: J
    gives_up: float = math.inf  # time.monotonic(), if no moment until then is safe
    interrupted: bool = False


class TimeLimits(Generic[J]):
    """Watches jobs that have a time limit, from a thread of its own.

    A job is passed to ``on_stuck``, with its guard, if it can't be interrupted within a
    grace of 5 seconds, and if it was, and still runs after another 5 seconds.
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
        self._turns = ShortTurns()

    def prepare(self) -> None:
        """Start the thread, and load ctypes: later that may be impossible.

        By then the process may have no thread or file descriptor left, or a stuck job
        may hold the import lock. Without any time limit neither is needed.

        Raises :class:`~jobqueue.errors.JobQueueError` if the system starts no more
        threads.
        """
        import ctypes  # noqa: F401, PLC0415

        with self._changed:
            self._start()

    def watching(self, seconds: float, job: J, guard: Guard) -> "_Watching[J]":
        """Interrupt the code of a ``with`` block after this many seconds.

        Raises RunLater, before the block begins, if no thread can be started for that.
        """
        return _Watching(self, seconds, job, guard)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def watch(self, seconds: float, job: J, guard: Guard) -> None:
        """Begin to watch a job, for :meth:`watching`, which says more."""
        due = time.monotonic() + seconds
        # Without the lock, as each job comes here: but the thread, before it looks at
        # who is watched, says that it looks at nobody.
        self._watched[guard] = _Watched(due, job)
        if due < self._looks_at:
            self._wake(guard, due)

    def forget(self, guard: Guard) -> None:
        """Watch a job no more."""
        self._watched.pop(guard, None)

    def _wake(self, guard: Guard, due: float) -> None:
        """Have the thread look at ``due``: rarely, as most limits are alike."""
        with self._changed:
            try:
                self._start()
            except JobQueueError as error:
                self.forget(guard)
                text = f"can't run now, as nothing would watch its time limit: {error}"
                raise RunLater(text, is_fault=True) from error
            self._looks_at = min(self._looks_at, due)
            self._changed.notify()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = start_thread(self._look, name="jobqueue-time-limits")

    def _look(self) -> None:
        with self._changed:
            try:
                self._look_until_closed()
            finally:  # if an error has ended it, the next limit starts another
                self._thread = None
                self._looks_at = math.inf
                self._turns.end()

    def _look_until_closed(self) -> None:
        """Interrupt what is due, again and again. Holds the lock but for its waits."""
        while not self._closed:
            now = time.monotonic()
            planned = self._looks_at if self._looks_at > now else math.inf
            self._looks_at = math.inf
            for guard, watched in list(self._watched.items()):
                if watched.due <= now:
                    self._act(guard, watched, now)
            dues = [watched.due for watched in list(self._watched.values())]
            # Also if the job has ended that it was planned for: short jobs would each
            # wake the thread otherwise.
            self._looks_at = min([planned, *dues])
            if self._looks_at <= now:  # a job is at a place that is not safe
                self._turns.begin()
            else:
                self._turns.end()
            wait = max(self._looks_at - now, self._timings.interrupt_retry)
            self._changed.wait(None if wait == math.inf else min(wait, 3600))

    def _act(self, guard: Guard, watched: _Watched[J], now: float) -> None:
        grace = self._timings.time_limit_grace
        if watched.interrupted or now >= watched.gives_up:
            self.forget(guard)
            self._on_stuck(watched.job, guard)
            return
        if watched.gives_up == math.inf:  # from now on: it may have been suspended
            watched.gives_up = now + grace
        if guard.interrupt():
            watched.interrupted = True
            # The supervisor kills the process twice the grace after the limit.
            watched.due = min(now + grace, watched.gives_up + grace / 2)


class _Watching(Generic[J]):
    """The ``with`` block of :meth:`TimeLimits.watching`.

    Not by contextlib, which takes longer than all the rest of it.
    """

    __slots__ = ("_guard", "_job", "_limits", "_seconds")

    def __init__(
        self, limits: TimeLimits[J], seconds: float, job: J, guard: Guard
    ) -> None:
        self._limits = limits
        self._seconds = seconds
        self._job = job
        self._guard = guard

    def __enter__(self) -> None:
        self._job.publish_deadline(self._seconds)
        try:
            self._limits.watch(self._seconds, self._job, self._guard)
        except RunLater:
            self._job.publish_deadline(None)
            raise

    def __exit__(self, _kind: object, error: BaseException | None, _: object) -> None:
        # The error may be raised at any point until guard.end() returns. So whatever
        # must happen for certain comes after that.
        try:
            self._guard.end()
        except TimeLimitExceeded as late:
            error = late
            raise
        finally:
            self._limits.forget(self._guard)
            self._job.publish_deadline(None)
            if type(error) is TimeLimitExceeded and not error.args:
                error.args = (f"it ran for longer than {self._seconds:g} s",)
