"""Running a job without a broker."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import BadJobError
from jobqueue.task.definition import Task
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Executor, ReservedJob, refused
from jobqueue.worker.slots.loop_waits import runs_on_loop
from tests.helpers.servers import DEADLINE

# For tests of async tasks: a slot's thread waits for their end, or the loop tells it.
BOTH_WAYS = pytest.mark.parametrize("run", ["thread", "loop"], indirect=True)


def stats(**counts: int) -> JobStats:
    """Return statistics of a reserved job of tube "t", changed by `counts`."""
    some = {
        "id": 7,
        "priority": 7,
        "age": 0,
        "delay": 0,
        "ttr": 60,
        "time_left": 60,
        "timeouts": 0,
        "releases": 0,
        "buries": 0,
        "kicks": 0,
    }
    at_least = 1 + counts.get("releases", 0) + counts.get("buries", 0)
    numbers = some | {"reserves": at_least} | counts
    return JobStats(tube="t", state=JobState.RESERVED, **numbers)


class Executed(NamedTuple):
    """How a job was executed: resolved, and called unless that was refused."""

    task: Task | None
    error: BaseException | None
    seconds: float


Run = Callable[..., Executed]


class Reserved:
    """A job, with no broker behind it."""

    id = 7

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.began = time.monotonic()
        self.task: Task | None = None

    def touch(self) -> bool:
        return True

    def stats(self) -> JobStats | None:
        return stats(reserves=3)

    def retries_left(self) -> int | None:
        return 2

    def publish_deadline(self, seconds: float | None) -> None: ...


def execute(executor: Executor, reserved: ReservedJob) -> Executed:
    """Resolve a job and run it, as a slot does that has no broker to ask."""
    try:
        call = executor.resolve(reserved)
    except BadJobError as refusal:
        result = refused(refusal, reserved)
    else:
        result = executor.run(call, reserved)
    try:
        return Executed(reserved.task, result.error, result.seconds)
    finally:
        del result  # an error leads to this frame


def runner(executor: Executor, event_loop: EventLoop, *, on_loop: bool) -> Run:
    """Return a function that runs a job: ``run("func_name", **kwargs)``."""

    def run(func_name: str, **kwargs: Any) -> Executed:
        body = {"func_name": func_name, "tube": "t", "kwargs": kwargs}
        reserved = Reserved(json.dumps(body).encode())
        if on_loop and runs_on_loop(executor.resolve(reserved).task):
            return _execute_on_loop(executor, event_loop, reserved)
        return execute(executor, reserved)

    return run


def _execute_on_loop(
    executor: Executor, event_loop: EventLoop, reserved: ReservedJob
) -> Executed:
    loop = event_loop.start()
    loop_call = executor.begin(executor.resolve(reserved), reserved)
    ended = threading.Event()

    def begin() -> None:
        if loop_call.begin():
            ended.set()

    def lose() -> None:
        loop_call.loop_lost()
        ended.set()

    event_loop.call_when_lost(lose)
    loop_call.prepare(ended.set)
    loop.call_soon_threadsafe(begin)
    assert ended.wait(DEADLINE)
    result = executor.end(loop_call, reserved)
    try:
        return Executed(reserved.task, result.error, result.seconds)
    finally:
        del result  # an error leads to this frame


class Running:
    """The jobs that were reported as stuck."""

    def __init__(self) -> None:
        self.stuck: list[ReservedJob] = []
