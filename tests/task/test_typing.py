"""What mypy and pyright know of a task.

Both check this file. Each wrong call has to be wrong for both: an ignore that is not
needed is an error as well.
"""

import asyncio
from typing import assert_type

import pytest

from jobqueue import ArgumentError, JobQueue, OptionError


def test_call_and_put(queue: JobQueue) -> None:
    """A task is called and put with the types of its function."""

    @queue.task("t")
    def task_one(a: int, b: str = "") -> float:
        return a + len(b)

    assert_type(task_one(1, "x"), float)
    assert_type(task_one.put(1, b="x"), int)
    assert_type(task_one.put_many([{"a": 1}]), list[int])
    assert_type(list(map(task_one, [1])), list[float])
    with pytest.raises(ArgumentError):
        task_one.put(
            {"1"}  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )
    with pytest.raises(ArgumentError):
        task_one.put(1, c=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(ArgumentError):
        task_one.put(b="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        task_one()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(ArgumentError):
        task_one.put_many(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_options_keep_the_types(queue: JobQueue) -> None:
    @queue.task("t", priority=1, ttr=5)
    def task_one(a: int) -> bytes:
        return bytes(a)

    later = task_one.options(delay=1.5)
    assert_type(later.__wrapped__(1), bytes)
    assert_type(later.put(1), int)
    assert_type(later(a=1), bytes)
    with pytest.raises(ArgumentError):
        later.put()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(OptionError):
        task_one.options(
            ttr="5"  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )
    with pytest.raises(TypeError):
        task_one.options(
            countdown=1  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        )


def test_async_tasks(queue: JobQueue) -> None:
    @queue.task("t")
    async def task_one(a: int) -> bool:
        return bool(a)

    async def use() -> None:
        assert_type(await task_one(1), bool)
        assert_type(await task_one.aput(1), int)
        assert_type(await task_one.aput_many([{"a": 1}]), list[int])
        with pytest.raises(ArgumentError):
            await task_one.aput()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        with pytest.raises(ArgumentError):
            await task_one.aput(
                {1}  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            )

    asyncio.run(use())


def test_decorator_on_the_class(queue: JobQueue) -> None:
    @JobQueue.task("t", max_kicks=None)
    def task_one(*, a: int = 0) -> str:
        return str(a)

    assert_type(task_one(a=1), str)
    assert_type(JobQueue.default(), JobQueue)
    with pytest.raises(TypeError):
        task_one(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        queue.task(
            name="t"  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        )


class Mails:
    @JobQueue.task("t")
    @staticmethod
    def send(to: str) -> int:
        return len(to)


def test_task_of_a_class() -> None:
    assert_type(Mails.send("x"), int)
    assert_type(Mails().send("x"), int)
    with pytest.raises(TypeError):
        Mails.send()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
