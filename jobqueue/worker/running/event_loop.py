"""The event loop on which a worker process runs all of its async tasks."""

from __future__ import annotations

import inspect
import threading
from contextlib import suppress
from traceback import walk_stack
from types import CoroutineType
from typing import TYPE_CHECKING

from jobqueue.errors import JobQueueError, TimeLimitExceeded
from jobqueue.job.outcome import RunLater
from jobqueue.worker.exits import end_child
from jobqueue.worker.forks import called_in_children
from jobqueue.worker.running.tracebacks import set_traceback, traceback_of
from jobqueue.worker.settings import Timings
from jobqueue.worker.threads import reason_of, start_thread

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from types import FrameType


class EventLoop:
    """One event loop in a thread of its own, started when it is first needed.

    The async tasks of all slots share it, so that a client or a connection pool that
    one of them has opened serves the next.
    """

    def __init__(self, timings: Timings = Timings()) -> None:  # noqa: B008 - it is frozen
        self._timings = timings
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self.is_forked = False  # this is the copy in a child that a task forked
        self._on_loss: list[Callable[[], object]] = []

    @property
    def thread(self) -> threading.Thread | None:
        """The thread of the loop, if that was started."""
        return self._thread

    def call_when_lost(self, callback: Callable[[], object]) -> None:
        """Have ``callback`` called when the loop ends that runs now, unless closed."""
        self._on_loss.append(callback)

    def run(self, awaitable: Awaitable[object]) -> None:
        """Have the loop run an awaitable, and wait for its end in the calling thread.

        Raises whatever the awaitable raises, and RunLater, as :meth:`start` does, if
        the loop can't be started.
        """
        try:
            loop = self._loop or self.start()
        except RunLater:
            close_unstarted(awaitable)
            raise
        run = _Run(self, awaitable)
        loop.call_soon_threadsafe(run.begin, loop)
        while not run.ended.acquire(timeout=self._timings.loop_look):
            run.notice_loss(loop)
        if run.error is not None:
            close_unstarted(awaitable)
            try:
                raise run.error
            finally:
                del run  # the error leads to this frame: break the cycle

    def thread_that_runs(self, frame: FrameType) -> int | None:
        """Return the id of the loop's thread if a frame's code waits for the loop."""
        waits = any(f.f_code is self.run.__code__ for f, _ in walk_stack(frame))
        return self._thread.ident if waits and self._thread is not None else None

    def close(self) -> None:
        """Cancel the async tasks that jobs have left on the loop, and end the loop."""
        loop = self._loop
        if loop is not None and self._thread is not None and not self._closing:
            self._closing = True
            with suppress(RuntimeError):  # a task has just closed the loop
                loop.call_soon_threadsafe(loop.stop)
            self._thread.join(self._timings.loop_close_timeout)

    def start(self) -> asyncio.AbstractEventLoop:
        """Start the loop if it does not run, and return it.

        Raises RunLater if there is no thread, memory or file descriptor for it now. The
        next call tries again.
        """
        import asyncio  # noqa: PLC0415 - slow, and only async tasks need it

        with self._starting:
            loop = self._loop
            if loop is None:
                try:
                    loop = asyncio.new_event_loop()
                except (OSError, MemoryError) as error:
                    raise _not_started(reason_of(error)) from error
                try:
                    self._thread = start_thread(
                        self._serve, loop, name="jobqueue-event-loop"
                    )
                except JobQueueError as error:
                    loop.close()
                    raise _not_started(str(error)) from error
                self._loop = loop
            return loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with called_in_children(self._forked):
                self._serve_until_closed(loop)
        finally:  # whatever has ended it: jobs that wait for it must not do so for ever
            self._forget(loop)
            loop.close()
            lost, self._on_loss = self._on_loss, []
            for callback in [] if self._closing else lost:
                callback()

    def _forked(self) -> None:
        self.is_forked = True

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the next job get another loop."""
        with self._starting:
            if self._loop is loop:
                self._loop = None

    def _serve_until_closed(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio  # noqa: PLC0415 - see EventLoop.start

        asyncio.set_event_loop(loop)
        # A Runner takes all the steps that closing a loop needs.
        runner = asyncio.Runner(loop_factory=lambda: loop)
        runner.get_loop()
        try:
            while not (self._closing or loop.is_closed()):
                try:
                    loop.run_forever()
                except BaseException as error:  # noqa: BLE001 - it must end no other task
                    # asyncio lets SystemExit and KeyboardInterrupt through.
                    text = "a task on the event loop has tried to end the process"
                    loop.call_exception_handler({"message": text, "exception": error})
        finally:
            self._forget(loop)  # first: a job that began now would be cancelled
            if not loop.is_closed():  # or a task has closed it
                runner.close()


class _Run:
    """An awaitable that runs on the loop while a thread waits for its end.

    Does the same as asyncio.run_coroutine_threadsafe, at two thirds of the cost.
    """

    def __init__(self, event_loop: EventLoop, awaitable: Awaitable[object]) -> None:
        self.error: BaseException | None = None
        self.ended = threading.Lock()  # held until the awaitable ends
        self.ended.acquire()
        self._event_loop = event_loop
        self._awaitable = awaitable
        self._task: asyncio.Task[None] | None = None  # a loop keeps none alive

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start to await. Called on the loop, with the waiting thread's contextvars."""
        code = self._to_the_end()
        try:
            self._task = loop.create_task(code)
        except BaseException as error:  # noqa: BLE001 - of an app's own task factory
            code.close()
            self.error = error
            self.ended.release()

    def notice_loss(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the wait if the awaitable will never be awaited to its end.

        That is so if it was cancelled before its first step, or the loop was closed.
        """
        import asyncio  # noqa: PLC0415 - see EventLoop.start

        has_ended = self._task is not None and self._task.done()
        if (has_ended or loop.is_closed()) and self.ended.locked():
            text = "cancelled before it began" if has_ended else "its loop was closed"
            self.error = asyncio.CancelledError(text)
            self.ended.release()

    async def _to_the_end(self) -> None:
        try:
            await self._awaitable
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop
            self.error = error
        if self._event_loop.is_forked:
            end_child(self.error)
        self.ended.release()


class AwaitGuard:
    """Guards an awaitable that runs on the loop.

    At the time limit it is cancelled as asyncio cancels: its code sees CancelledError,
    and has its own children cancelled, and waits for them. What the awaitable raises
    then becomes TimeLimitExceeded here, as ``asyncio.timeout`` does with TimeoutError.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._is_expired = False
        self._is_cancelled = False
        self._has_turned = False  # the loop, since it was cancelled
        self._has_ended = False

    def interrupt(self) -> bool:
        """Have the awaitable cancelled. Returns True: any moment is safe."""
        self._is_expired = True
        if self._task is not None:
            with suppress(RuntimeError):  # a task has closed the loop
                self._task.get_loop().call_soon_threadsafe(self._cancel)
        return True

    def is_held_up(self) -> bool:
        """Return whether another task blocks the loop, so that this one can't run."""
        import asyncio  # noqa: PLC0415 - see EventLoop.start

        task = self._task
        if self._has_turned:
            return False
        if task is None:  # the loop has not come to it yet
            return True
        return asyncio.current_task(task.get_loop()) is not task

    def is_loop_blocked(self) -> bool:
        """Return whether the loop has not come to the code since the interrupt."""
        return not self._has_turned

    def end(self) -> None:
        """Interrupt the awaitable no more."""
        self._has_ended = True

    async def guarding(self, awaitable: Awaitable[object]) -> None:
        """Await an awaitable, which :meth:`interrupt` can interrupt meanwhile."""
        import asyncio  # noqa: PLC0415 - see EventLoop.start

        self._task = asyncio.current_task()
        if self._is_expired:  # before the first step
            self._cancel()
        try:
            await awaitable
        except asyncio.CancelledError as cancelled:
            if not self._is_cancelled:
                raise
            # No variable may keep the error, whose traceback leads to this frame.
            raise _expired_at(cancelled) from None
        finally:
            self._has_ended = True

    def _cancel(self) -> None:
        if self._task is not None and not self._has_ended:
            self._is_cancelled = True
            self._task.cancel()
            # After the next step of the code, which others may hold up until then.
            self._task.get_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._has_turned = True


def close_unstarted(awaitable: Awaitable[object]) -> None:
    """Close a coroutine that will never begin, or Python would warn of it."""
    if type(awaitable) is not CoroutineType:
        return
    if inspect.getcoroutinestate(awaitable) == inspect.CORO_CREATED:
        awaitable.close()


def _not_started(reason: str) -> RunLater:
    text = f"can't run now, as the event loop could not be started: {reason}"
    return RunLater(text, is_fault=True)


def _expired_at(cancelled: BaseException) -> TimeLimitExceeded:
    """Return the error of a limit, with the traceback of where the task waited."""
    error = TimeLimitExceeded()
    set_traceback(error, traceback_of(cancelled))
    return error
