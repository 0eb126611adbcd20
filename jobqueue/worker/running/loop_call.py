"""A job's call of an async function, for which no thread waits."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING

from jobqueue.job.context import Job, current_job_var
from jobqueue.job.outcome import RunLater
from jobqueue.worker.exits import end_child
from jobqueue.worker.running.event_loop import AwaitGuard, EventLoop, close_unstarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager


class LoopCall:
    """A call of an async function, which the event loop begins, and whose end it tells.

    ``start`` calls the function, and returns what is to be awaited. With a time limit,
    ``limited`` is entered as soon as the call is for the loop, which another job may
    block, and left when the call has ended. It uses the ``guard``.
    """

    def __init__(
        self,
        event_loop: EventLoop,
        job: Job,
        start: Callable[[], Awaitable[object] | None],
        guard: AwaitGuard | None = None,
        limited: AbstractContextManager[None] | None = None,
    ) -> None:
        self.has_begun = False
        self._event_loop = event_loop
        self._job = job
        self._start = start
        self._guard = guard
        self._limited = limited
        self._error: BaseException | None = None
        self._awaitable: Awaitable[object] | None = None
        self._was_awaited = False  # to its end
        self._task: asyncio.Task[None] | None = None  # a loop keeps none alive
        self._disabled = logging.root.manager.disable
        self._go_on: Callable[[], object] = _do_nothing

    def prepare(self, go_on: Callable[[], object]) -> None:
        """Have ``go_on`` called on the loop at the end of the call."""
        self._go_on = go_on
        if self._limited is not None:
            try:
                self._limited.__enter__()
            except RunLater as error:  # nothing can watch the limit now
                self._limited = None
                self._error = error

    def begin(self) -> bool:
        """Call the function, on the loop; return whether the call has ended already."""
        self.has_begun = True
        if self._error is not None:
            return True
        context = copy_context()
        try:
            # In a copy of the slot's context, which no job changes for the next.
            context.copy().run(self._begin)
        except BaseException as error:  # noqa: BLE001 - never success, whatever it is
            self._error = error
        if self._task is None:
            self._leave_limit()
            return True
        # In place of the last line of _await, which a task never comes to that is
        # cancelled before its first step.
        self._task.add_done_callback(self._end, context=context)
        return False

    def take_over(self) -> bool:
        """Return False: only the loop can run the function."""
        return False

    def loop_lost(self) -> None:
        """Take note that the loop has ended, and with it the call."""
        self._go_on = _do_nothing
        self._leave_limit()
        if self._error is None and not self._was_awaited:
            self._error = asyncio.CancelledError("its loop was closed")

    def take_error(self) -> BaseException | None:
        """Return the error of the call, once it has ended; None if it succeeded.

        This object does not keep the error: its traceback leads to a frame that has
        this object.
        """
        if logging.root.manager.disable > self._disabled:  # see Executor.run
            logging.disable(self._disabled)
        error, self._error = self._error, None
        if error is not None and self._awaitable is not None:
            close_unstarted(self._awaitable)
        return error

    def _begin(self) -> None:
        current_job_var.set(self._job)
        self._awaitable = self._start()
        if self._awaitable is None:
            return
        code = self._await(self._awaitable)
        try:
            self._task = asyncio.get_running_loop().create_task(code)
        except BaseException:  # of an app's own task factory
            code.close()
            raise

    async def _await(self, awaitable: Awaitable[object]) -> None:
        try:
            if self._guard is None:
                await awaitable
            else:
                await self._guard.guarding(awaitable)
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop
            self._error = error
        self._was_awaited = True
        self._leave_limit()
        if self._event_loop.is_forked:
            end_child(self._error)

    def _end(self, task: asyncio.Task[None]) -> None:
        # A task that is cancelled as it takes its last step is called so, too.
        if task.cancelled() and not self._was_awaited:
            self._leave_limit()
            self._error = asyncio.CancelledError("cancelled before it began")
        self._go_on()

    def _leave_limit(self) -> None:
        limited, self._limited = self._limited, None
        if limited is not None:
            limited.__exit__(None, self._error, None)


def _do_nothing() -> None: ...
