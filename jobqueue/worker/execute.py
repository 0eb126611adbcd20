"""Running one job: from its body to what came of the call. Knows no broker."""

import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jobqueue.errors import BadJobError
from jobqueue.message import Message, decode
from jobqueue.subscriber import Task

FindTask = Callable[[str, str], Task | None]


@dataclass(frozen=True, slots=True)
class Execution:
    """What came of running a job."""

    task: Task | None  # None: the body named none
    error: BaseException | None  # None: the function returned
    seconds: float


def execute(body: bytes, find: FindTask) -> Execution:
    """Decode a job's body, look its task up, and call it.

    Returns whatever happened, an exit or an interrupt raised by the task included: no
    job may stop its worker. A body that can't be run is a
    :class:`~jobqueue.errors.BadJobError`.
    """
    started = time.monotonic()
    task: Task | None = None
    try:
        job = decode(body)
        task = _look_up(job, find)
        _call(task, job)
    except BaseException as caught:  # noqa: BLE001 - never success, whatever it is
        # No variable here may keep the error: its traceback leads back to this frame,
        # and a failed job's objects would live until the garbage collector comes round.
        return Execution(task, _without_own_frames(caught), time.monotonic() - started)
    return Execution(task, None, time.monotonic() - started)


def _look_up(job: Message, find: FindTask) -> Task:
    task = find(job.tube, job.func_name)
    if task is None:
        raise BadJobError(
            f"no task {job.func_name[:100]!r} in tube {job.tube[:200]!r} is known to "
            "this worker: is its module imported, and does the worker watch that tube?"
        )
    return task


def _call(task: Task, job: Message) -> None:
    try:
        result = task.func(**job.kwargs)
    except TypeError as error:
        if not _fits(task, job):
            raise BadJobError(f"the arguments do not fit: {error}") from None
        raise
    if inspect.isawaitable(result):
        _run_to_its_end(result)
    elif inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError(
            f"{task.func_name}() returned a generator, and nothing of that has run"
        )


def _fits(task: Task, job: Message) -> bool:
    """Tell whether the function takes a job's arguments, asked when a call failed."""
    signature = inspect.signature(task.func, follow_wrapped=False)
    try:
        signature.bind(**job.kwargs)
    except TypeError:
        return False
    return True


def _run_to_its_end(awaitable: Awaitable[object]) -> None:
    import asyncio  # noqa: PLC0415 - slow to import, for workers without async tasks

    async def main() -> None:
        await awaitable

    asyncio.run(main())


def _without_own_frames(error: BaseException) -> BaseException:
    """Return the error with a traceback that begins in the task's own code."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return error.with_traceback(frames)
