"""Running a job, with no broker in sight."""

import asyncio
import gc
import json
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from jobqueue import BadJobError, JobQueue
from jobqueue.task.definition import Task
from jobqueue.task.registry import subscriber
from jobqueue.worker.running.executor import Executor
from tests.helpers.reserved import BOTH_WAYS, Reserved, Run, execute


def define(func: Callable[..., Any]) -> Task:
    JobQueue.task("t")(func)
    task = subscriber.find("t", func.__name__)
    assert task
    return task


def test_arguments_and_defaults(run: Run) -> None:
    ran = []

    def work(a: int, b: int = 2, **more: int) -> None:
        ran.append((a, b, more))

    task = define(work)
    execution = run("work", a=1, c=3)

    assert ran == [(1, 2, {"c": 3})]
    assert (execution.task, execution.error) == (task, None)
    assert execution.seconds >= 0


@BOTH_WAYS
def test_async_function(run: Run) -> None:
    ran = []

    async def work(a: int) -> None:
        await asyncio.sleep(0)
        ran.append(a)

    define(work)

    assert run("work", a=1).error is None
    assert ran == [1]


@BOTH_WAYS
@pytest.mark.parametrize(
    "error",
    [ValueError(), SystemExit(0), KeyboardInterrupt(), GeneratorExit(), TypeError()],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_any_exception_is_a_failure(
    run: Run, error: BaseException, is_async: bool
) -> None:
    def work() -> None:
        raise error

    async def async_work() -> None:
        raise error

    func = async_work if is_async else work
    define(func)

    assert run(func.__name__).error is error


@pytest.mark.parametrize("kwargs", [{}, {"a": 1, "b": 2}, {"b": 1}])
def test_wrong_arguments(run: Run, kwargs: dict[str, int]) -> None:
    ran = []

    def work(a: int) -> None:
        ran.append(a)

    define(work)
    error = run("work", **kwargs).error

    assert isinstance(error, BadJobError)
    assert "the arguments do not fit: " in str(error)
    assert str(error).endswith(": its arguments are work(a: int) -> None")
    assert ran == []


def test_type_error_of_the_function(run: Run) -> None:
    """It is a failure of the function, not wrong arguments."""

    def work(a: Any) -> None:
        len(a)

    define(work)

    assert type(run("work", a=1).error) is TypeError


def test_type_error_of_a_builtin(run: Run) -> None:
    JobQueue.task("t")(print)

    assert type(run("print", sep=5).error) is TypeError
    assert isinstance(run("print", nonsense=5).error, BadJobError | TypeError)


def test_generator_function(run: Run) -> None:
    """It is a failure, as a call would not run its body."""

    def work() -> object:
        return (n for n in range(3))

    define(work)

    assert "returned a generator" in str(run("work").error)


def test_failed_job_leaves_no_cycle(run: Run) -> None:
    """The objects of a failed job are freed at once."""

    class Large:
        pass

    seen = []

    def work() -> None:
        large = Large()
        seen.append(weakref.ref(large))
        raise ValueError

    define(work)
    gc.disable()
    try:
        run("work")
        assert seen[0]() is None
    finally:
        gc.enable()


def test_traceback(run: Run) -> None:
    """It begins in the task's own code."""

    def work() -> None:
        raise ValueError

    define(work)
    error = run("work").error

    assert error
    assert [f.name for f in traceback.extract_tb(error.__traceback__)] == ["work"]


def test_only_registered_functions(executor: Executor) -> None:
    def work() -> None: ...

    define(work)
    for tube, func_name in [
        ("t", "os.system"),
        ("t", "__class__"),
        ("t", "work.__globals__"),
        ("t", ""),
        ("u", "work"),
        ("", "work"),
    ]:
        body = {"func_name": func_name, "tube": tube, "kwargs": {}}
        execution = execute(executor, Reserved(json.dumps(body).encode()))

        assert execution.task is None
        assert isinstance(execution.error, BadJobError)
        assert "is known to this worker" in str(execution.error)
