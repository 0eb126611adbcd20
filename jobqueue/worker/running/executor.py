"""Running one job: from its body to the result of the call. Knows no broker."""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from jobqueue.errors import BadJobError
from jobqueue.job.body import Message, decode
from jobqueue.job.context import Job, JobControl, current_job_var
from jobqueue.job.limit_deferral import deferring_var
from jobqueue.job.outcome import RunLater
from jobqueue.task.definition import Task
from jobqueue.worker.running.event_loop import AwaitGuard, EventLoop, close_unstarted
from jobqueue.worker.running.hooks import call_around
from jobqueue.worker.running.thread_guard import ThreadGuard
from jobqueue.worker.running.time_limit import Guard, Limited, TimeLimits
from jobqueue.worker.running.tracebacks import traceback_of, without_own_frames

if TYPE_CHECKING:
    from jobqueue.worker.running.loop_call import LoopCall

FindTask = Callable[[str, str], Task | None]


class ReservedJob(JobControl, Limited, Protocol):
    """A reserved job, as far as running it needs to know."""

    task: Task | None
    """The task that its body names; None until that is known."""

    @property
    def id(self) -> int:
        """The job's id."""
        ...

    @property
    def body(self) -> bytes:
        """The job's body."""
        ...

    @property
    def began(self) -> float:
        """When the job was reserved, by ``time.monotonic()``."""
        ...


class Call(NamedTuple):
    """A call that a job asks for: the task, and the job as the task sees it."""

    task: Task
    job: Job
    max_age: float | None  # seconds; None: the job does not say


@dataclass(slots=True)  # not frozen: that would take three times as long to make
class Result:
    """The result of a job: how it ended, and how long it took."""

    error: BaseException | None  # None: the function returned
    seconds: float  # since the job was reserved
    has_run: bool = True  # False: the job was refused, and its function not called


class Executor:
    """Runs the jobs of one process, in as many threads as call it.

    ``find`` looks up the task of a tube and function name. ``time_limit`` is for the
    tasks that have none of their own, in seconds.
    """

    def __init__(
        self,
        find: FindTask,
        limits: TimeLimits[ReservedJob],
        event_loop: EventLoop,
        time_limit: float | None = None,
    ) -> None:
        self._find = find
        self._limits = limits
        self._event_loop = event_loop
        self._time_limit = time_limit

    def resolve(self, reserved: ReservedJob) -> Call:
        """Return the call that a job's body asks for, if this worker can make it.

        Raises :class:`~jobqueue.errors.BadJobError` for a body that is not a job, for
        an unknown task, and for a signature that is missing or wrong.
        """
        message = decode(reserved.body)
        task = self._find(message.tube, message.func_name)
        if task is None:
            raise _unknown(message)
        reserved.task = task  # before the checks: the log of a refusal names the task
        task.signing.check(reserved.body)
        job = Job(
            reserved.id,
            task.func_name,
            message.tube,
            message.kwargs,
            reserved,
            message.headers,
            message.due,
        )
        return Call(task, job, message.max_age)

    def run(self, call: Call, reserved: ReservedJob) -> Result:
        """Call a job's function, and return the result; never raises.

        An exit or an interrupt that the task raises is a failure like any other: no
        job may stop its worker. If the arguments do not fit, the result has a
        :class:`~jobqueue.errors.BadJobError`, and RunLater if a thread that the job
        needs can't be started.
        """
        disabled = logging.root.manager.disable
        try:
            try:
                # In a copy of the slot's context, which no job changes for the next.
                copy_context().run(self._run_in_context, call, reserved)
            finally:
                # Or its failure might not be logged. Never disable more: another job
                # may have ended what this one found.
                if logging.root.manager.disable > disabled:
                    logging.disable(disabled)
        except BaseException as caught:  # noqa: BLE001 - never success, whatever it is
            # No variable here may keep the error: its traceback leads back to this
            # frame, and in such a cycle a failed job's objects would live until the
            # next garbage collection.
            return _failed(caught, reserved)
        return Result(None, time.monotonic() - reserved.began)

    def begin(self, call: Call, reserved: ReservedJob) -> "LoopCall":
        """Return the call of an async function without hooks, for the event loop."""
        from jobqueue.worker.running.loop_call import LoopCall  # noqa: PLC0415 - asyncio

        limit = self._limit_of(call)
        start = partial(_start, call)
        if limit is None:
            return LoopCall(self._event_loop, call.job, start)
        guard = AwaitGuard()
        limited = self._limited(limit, reserved, guard)
        return LoopCall(self._event_loop, call.job, start, guard, limited)

    def end(self, loop_call: "LoopCall", reserved: ReservedJob) -> Result:
        """Return the result of a call that :meth:`begin` has returned."""
        error = loop_call.take_error()
        if error is not None:
            return _failed(error, reserved)
        return Result(None, time.monotonic() - reserved.began)

    def _limit_of(self, call: Call) -> float | None:
        limit = call.task.options.time_limit
        return self._time_limit if limit is None else limit

    def _run_in_context(self, call: Call, reserved: ReservedJob) -> None:
        current_job_var.set(call.job)
        limit = self._limit_of(call)
        hooks = call.task.around
        if not hooks:
            self._run_in_limit(call, reserved, limit)
            return
        if inspect.iscoroutinefunction(inspect.unwrap(call.task.func)):
            self._event_loop.start()  # before a hook runs: it may be impossible now

        def part() -> AbstractContextManager[None]:
            return nullcontext() if limit is None else self._limited(limit, reserved)

        run = partial(self._run_in_limit, call, reserved, limit)
        call_around(hooks, call.job, run, part)

    def _run_in_limit(
        self, call: Call, reserved: ReservedJob, limit: float | None
    ) -> None:
        if limit is None:
            result = _start(call)
            if result is not None:
                self._event_loop.run(result)
            return
        with self._limited(limit, reserved):
            result = _start(call)
        if result is not None:
            guard = AwaitGuard()
            try:
                with self._limited(limit, reserved, guard):
                    self._event_loop.run(guard.guarding(result))
            finally:
                close_unstarted(result)

    def _limited(
        self, seconds: float, reserved: ReservedJob, guard: Guard | None = None
    ) -> AbstractContextManager[None]:
        """Limit how long the code of a ``with`` block may take, in this thread."""
        if guard is None:
            guard = thread_guard = ThreadGuard()
            deferring_var.set(thread_guard)
        return self._limits.watching(seconds, reserved, guard)


def refused(refusal: Exception, reserved: ReservedJob) -> Result:
    """Return the result of a job whose function was not called, and why."""
    seconds = time.monotonic() - reserved.began
    return Result(without_own_frames(refusal), seconds, has_run=False)


def _failed(error: BaseException, reserved: ReservedJob) -> Result:
    seconds = time.monotonic() - reserved.began
    without_own_frames(error)
    return Result(error, seconds, has_run=not _has_not_begun(error))


def _unknown(message: Message) -> BadJobError:
    return BadJobError(
        f"no task {message.func_name[:100]!r} in tube {message.tube[:200]!r} is known "
        "to this worker: is its module imported, and does the worker watch that tube?"
    )


def _start(call: Call) -> Awaitable[object] | None:
    """Call the function; return what an async one returned, which has to be awaited.

    Any other value is dropped, and none of its code runs: a lazy object's would.
    """
    try:
        value = call.task.func(**call.job.kwargs)
    except TypeError as error:
        if not _fits(call):
            raise BadJobError(
                f"the arguments do not fit: {_in_line(error)}: its arguments are "
                f"{call.task.func_name}{_signature(call)}"
            ) from None
        raise
    if value is None:
        return None
    kind = type(value)  # isinstance() would ask the value for its class
    if issubclass(kind, GeneratorType | AsyncGeneratorType) and not _has_begun(value):
        raise TypeError(
            f"{call.task.func_name}() returned a generator, of which nothing has run: "
            "have the task run it to its end"
        )
    return value if _is_awaitable(kind) else None


def _has_begun(value: object) -> bool:
    """Return whether a generator has run for a while."""
    if not isinstance(value, GeneratorType):
        return False
    return inspect.getgeneratorstate(value) != inspect.GEN_CREATED


def _is_awaitable(kind: type) -> bool:
    """Return whether values of a class can be awaited; runs no code of a metaclass."""
    try:
        return type.__getattribute__(kind, "__await__") is not None
    except AttributeError:
        return False


def _has_not_begun(error: BaseException) -> bool:
    """Return whether no line of the task has run: its arguments do not fit, say.

    A BadJobError that the task itself has raised has a frame of the task's.
    """
    if type(error) is RunLater:
        return True
    return issubclass(type(error), BadJobError) and traceback_of(error) is None


def _in_line(error: TypeError) -> str:
    """Return the error's text in one line, so that no part looks like a log line.

    The names of arguments in the text come from the body, so they may be anything.
    """
    return repr(str(error)[:300])[1:-1]


def _fits(call: Call) -> bool:
    """Return whether the function takes a job's arguments; asked after a TypeError."""
    try:
        _signature(call).bind(**call.job.kwargs)
    except TypeError:
        return False
    return True


def _signature(call: Call) -> inspect.Signature:
    return inspect.signature(call.task.func, follow_wrapped=False)
