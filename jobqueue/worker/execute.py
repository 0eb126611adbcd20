"""Running one job: from its body to what came of the call. Knows no broker."""

import asyncio
import inspect
import time
from collections.abc import Callable
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
    error: BaseException | None = None
    try:
        job = decode(body)
        task = _look_up(job, find)
        _call(task, job)
    except BaseException as caught:  # noqa: BLE001 - never success, whatever it is
        error = caught
    return Execution(task, error, time.monotonic() - started)


def _look_up(job: Message, find: FindTask) -> Task:
    task = find(job.tube, job.func_name)
    if task is None:
        raise BadJobError(
            f"no task {job.func_name!r} in tube {job.tube!r} is known to this worker: "
            "is its module imported, and does the worker watch that tube?"
        )
    return task


def _call(task: Task, job: Message) -> None:
    try:
        result = task.func(**job.kwargs)
    except TypeError as error:
        if error.__traceback__ and error.__traceback__.tb_next is None:
            # It was raised by the call itself: no line of the function has run.
            raise BadJobError(f"the arguments do not fit: {error}") from None
        raise
    if inspect.iscoroutine(result):
        asyncio.run(result)
