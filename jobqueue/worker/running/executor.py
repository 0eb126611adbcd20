"""Running one job: from its body to what came of the call. Knows no broker."""

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from jobqueue.errors import BadJobError
from jobqueue.job.body import Message, decode
from jobqueue.job.context import Job, JobControl, running
from jobqueue.task.definition import Task
from jobqueue.worker.running.event_loop import AwaitGuard, EventLoop
from jobqueue.worker.running.hooks import call_around
from jobqueue.worker.running.time_limit import ThreadGuard, TimeLimits

FindTask = Callable[[str, str], Task | None]


class ReservedBody(JobControl, Protocol):
    """A job that is to be run."""

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
        """When the job came, by ``time.monotonic()``."""
        ...

    def begins(self, task: Task) -> None:
        """Take note of what now runs. May raise a reason not to run it."""
        ...

    def limit(self, seconds: float | None) -> None:
        """Take note of how long the call may take that begins; None: it has ended."""
        ...


@dataclass(slots=True)  # not frozen, as that would take three times as long to make
class Execution:
    """What came of running a job."""

    task: Task | None  # None: the body named none
    error: BaseException | None  # None: the function returned
    seconds: float


class Executor:
    """Runs the jobs of one process, in as many threads as call it.

    ``find`` looks up the task of a tube and function name. ``time_limit`` is for the
    tasks that have none of their own, in seconds.
    """

    def __init__(
        self,
        find: FindTask,
        limits: TimeLimits[ReservedBody],
        event_loop: EventLoop,
        time_limit: float | None = None,
    ) -> None:
        self._find = find
        self._limits = limits
        self._event_loop = event_loop
        self._time_limit = time_limit

    def execute(self, reserved: ReservedBody) -> Execution:
        """Decode a job's body, look its task up, and call it.

        Returns whatever happened, an exit or an interrupt raised by the task included:
        no job may stop its worker. A body that can't be run is a
        :class:`~jobqueue.errors.BadJobError`.
        """
        task: Task | None = None
        try:
            message = decode(reserved.body)
            task = self._find(message.tube, message.func_name) or _unknown(message)
            task.signing.check(reserved.body)
            job = Job(
                reserved.id, message.func_name, message.tube, message.kwargs, reserved
            )
            before = running.set(job)
            try:
                self._run(task, job, reserved)
            finally:
                running.reset(before)
        except BaseException as caught:  # noqa: BLE001 - never success, whatever it is
            # No variable here may keep the error: its traceback leads back to this
            # frame, and a failed job's objects would live until the garbage collector
            # comes round.
            return Execution(
                task, _without_own_frames(caught), time.monotonic() - reserved.began
            )
        return Execution(task, None, time.monotonic() - reserved.began)

    def _run(self, task: Task, job: Job, reserved: ReservedBody) -> None:
        limit = self._time_limit if task.time_limit is None else task.time_limit
        reserved.begins(task)
        if task.around:
            call_around(
                task.around, job, lambda: self._call(task, job, reserved, limit)
            )
        else:
            self._call(task, job, reserved, limit)

    def _call(
        self, task: Task, job: Job, reserved: ReservedBody, limit: float | None
    ) -> None:
        if limit is None:
            result = _start(task, job)
            if result is not None and inspect.isawaitable(result):
                self._event_loop.run(result)
        else:
            try:
                self._call_within(limit, task, job, reserved)
            finally:
                reserved.limit(None)

    def _call_within(
        self, limit: float, task: Task, job: Job, reserved: ReservedBody
    ) -> None:
        reserved.limit(limit)
        with self._limits.watching(limit, reserved, ThreadGuard()):
            result = _start(task, job)
        if inspect.isawaitable(result):
            guard = AwaitGuard()
            reserved.limit(limit)
            with self._limits.watching(limit, reserved, guard):
                self._event_loop.run(guard.guarding(result))


def _unknown(message: Message) -> NoReturn:
    raise BadJobError(
        f"no task {message.func_name[:100]!r} in tube {message.tube[:200]!r} is known "
        "to this worker: is its module imported, and does the worker watch that tube?"
    )


def _start(task: Task, job: Job) -> object:
    """Call the function; what an async one returns is still to be awaited."""
    try:
        result = task.func(**job.kwargs)
    except TypeError as error:
        if not _fits(task, job):
            raise BadJobError(f"the arguments do not fit: {_in_line(error)}") from None
        raise
    if result is None:
        return None
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError(
            f"{task.func_name}() returned a generator, and nothing of that has run"
        )
    return result


def _in_line(error: TypeError) -> str:
    """Return the error without what could pass for another line of the log.

    The names in it are the body's, so they may be anything.
    """
    return repr(str(error)[:300])[1:-1]


def _fits(task: Task, job: Job) -> bool:
    """Tell whether the function takes a job's arguments, asked when a call failed."""
    signature = inspect.signature(task.func, follow_wrapped=False)
    try:
        signature.bind(**job.kwargs)
    except TypeError:
        return False
    return True


def _without_own_frames(error: BaseException) -> BaseException:
    """Return the error with a traceback that begins in the task's own code."""
    # What BaseException itself has, whatever the error's own class has made of it.
    frames = BaseException.__dict__["__traceback__"].__get__(error)
    while frames and frames.tb_frame.f_globals.get("__package__") == __package__:
        frames = frames.tb_next
    BaseException.with_traceback(error, frames)
    return error
