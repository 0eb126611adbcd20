"""With eager(), a put runs its task at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobqueue import (
    ArgumentError,
    BrokerUnreachableError,
    JobQueue,
    JobTooBigError,
    PutManyError,
    current_job,
)
from jobqueue.testing import eager


def test_runs_at_once(queue: JobQueue) -> None:
    """Each kind of put runs the task at once, with the arguments out of JSON."""
    ran: list[object] = []

    @queue.task("t", delay=60, retries=3)
    def work(value: object) -> None:
        ran.append(value)
        ran.append((current_job().id, current_job().attempt))

    with eager():
        assert work.put((1, 2)) == 1
        assert ran == [[1, 2], (1, 1)]
        assert work.put_many([{"value": {1: None}}, {"value": "b"}]) == [2, 3]
        assert asyncio.run(work.aput("c")) == 4
    assert ran[2:] == [{"1": None}, (2, 1), "b", (3, 1), "c", (4, 1)]

    with pytest.raises(BrokerUnreachableError):
        work.put(1)


def test_errors(queue: JobQueue) -> None:
    """A put raises what its task raises; put_many says which item was not put."""
    runs = []

    @queue.task("t", retries=3)
    def work(n: int) -> float:
        runs.append(n)
        return 1 / n

    with eager():
        with pytest.raises(ZeroDivisionError):
            work.put(0)
        with pytest.raises(ArgumentError):
            work.put()  # type: ignore[call-arg]
        with pytest.raises(ZeroDivisionError):
            work.put_many([{"n": 1}, {"n": 0}, {"n": 2}])
        with pytest.raises(PutManyError, match="item 1 was not put") as caught:
            work.put_many([{"n": 1}, {"m": 1}, {"n": 2}])
    assert isinstance(caught.value.__cause__, ArgumentError)
    assert runs == [0, 1, 0, 1]


def test_largest_job(queue: JobQueue) -> None:
    """A job may be as large as beanstalkd takes by default."""

    @queue.task("t")
    def work(text: str) -> None: ...

    overhead = len('{"func_name":"work","tube":"t","kwargs":{"text":""}}')
    with eager():
        work.put("x" * (65_535 - overhead))
        with pytest.raises(JobTooBigError, match="65536 bytes"):
            work.put("x" * (65_536 - overhead))


def test_async_tasks_put_others(queue: JobQueue) -> None:
    ran: list[int] = []

    @queue.task("t")
    async def work(n: int) -> None:
        await asyncio.sleep(0)
        if n % 2:
            await work.aput(n - 1)
        elif n:
            work.put(n - 1)
        ran.append(n)

    with eager():
        work.put(4)

    assert ran == [0, 1, 2, 3, 4]


def test_threads_of_a_blocking_task(queue: JobQueue) -> None:
    """Threads of a task that blocks its event loop may put async tasks."""
    ran = []

    @queue.task("t")
    async def leaf(n: int) -> None:
        await asyncio.sleep(0)
        ran.append(n)

    @queue.task("t")
    async def work() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(leaf.put, range(3)))

    with eager():
        work.put()

    assert sorted(ran) == [0, 1, 2]
