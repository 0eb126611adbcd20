"""Slots on an event loop that comes to them late, or never: no job runs twice."""

import asyncio
import threading
import time

import pytest

from jobqueue import JobQueue, JobStuckError, Worker
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_thread import with_timings, working


@pytest.mark.thorough
def test_long_turns(broker: Beanstalkd, queue: JobQueue) -> None:
    """Each of many jobs takes the loop for a moment, and all of them for seconds."""
    ran: list[int] = []

    @queue.task("t", ttr=2)
    async def work() -> None:
        ran.append(1)
        time.sleep(0.02)  # noqa: ASYNC251 - it blocks the loop

    with working(Worker(threads=180)):
        eventually(lambda: broker.waiting("t"), 180)
        work.put_many([{}] * 180)
        eventually(lambda: broker.counts("t"), {})
    assert len(ran) == 180


@pytest.mark.thorough
def test_loop_blocked_by_what_a_job_has_left(
    broker: Beanstalkd, queue: JobQueue
) -> None:
    """No job runs then, but those that come are touched."""
    left: list[asyncio.Task[None]] = []
    ran: list[int] = []
    blocks, end = threading.Event(), threading.Event()

    async def block() -> None:
        await asyncio.sleep(0.3)
        blocks.set()
        end.wait(20)

    @queue.task("t")
    async def leaves() -> None:
        left.append(asyncio.create_task(block()))

    @queue.task("t", ttr=1)
    async def work(n: int) -> None:
        ran.append(n)

    with working(Worker(threads=4)):
        leaves.put()
        assert blocks.wait(20)
        ids = [work.put(n) for n in range(3)]
        eventually_true(lambda: broker.stats_job(ids[-1])["age"] >= 2)
        assert {broker.stats_job(job_id)["timeouts"] for job_id in ids} == {0}
        end.set()
        eventually(lambda: broker.counts("t"), {})
    assert sorted(ran) == [0, 1, 2]


@pytest.mark.usefixtures("broker")
def test_time_limit_of_a_job_that_the_loop_never_comes_to(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """It is over, though another job, which has no limit, blocks the loop for ever."""
    end = threading.Event()

    @queue.task("t")
    async def block() -> None:
        limited.put()
        end.wait(20)

    @queue.task("t", time_limit=0.1)
    async def limited() -> None: ...

    block.put()
    worker = Worker(threads=2, shutdown_timeout=0)
    try:
        with pytest.raises(JobStuckError):
            with_timings(worker, time_limit_grace=0.1).run()
    finally:
        end.set()
    assert "Job 2 is held up: limited (tube t)" in caplog.text
