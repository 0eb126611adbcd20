"""The time limit of async tasks: cancelled as asyncio cancels, with what they await."""

import asyncio
import threading
import traceback
from contextlib import suppress

from jobqueue import JobQueue, TimeLimitExceeded
from tests.helpers.reserved import BOTH_WAYS, Run
from tests.helpers.servers import DEADLINE

pytestmark = BOTH_WAYS


async def sleep() -> None:
    await asyncio.sleep(60)


async def noting(ended: list[str], name: str) -> None:
    """Note its end, which takes a moment, as closing a connection does."""
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        ended.append(name)


def test_children_end_first(run: Run) -> None:
    """The job ends when all have ended that it waits for, with their cleanup."""
    ended: list[str] = []

    @JobQueue.task("t", time_limit=0.1)
    async def in_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(noting(ended, "1"))
            group.create_task(noting(ended, "2"))

    @JobQueue.task("t", time_limit=0.1)
    async def in_wait_for() -> None:
        await asyncio.wait_for(noting(ended, "3"), 60)

    @JobQueue.task("t", time_limit=0.1)
    async def in_timeout() -> None:
        async with asyncio.timeout(60):
            await noting(ended, "4")

    for name, count in (("in_group", 2), ("in_wait_for", 3), ("in_timeout", 4)):
        error = run(name).error
        assert isinstance(error, TimeLimitExceeded)
        assert str(error) == "it ran for longer than 0.1 s"
        assert len(ended) == count


def test_permits(run: Run) -> None:
    """A job that is cancelled as it waits for a permit, or a lock, leaves it free."""
    made: list[asyncio.Semaphore] = []

    @JobQueue.task("t")
    async def prepare() -> None:
        made.append(asyncio.Semaphore(1))
        await made[0].acquire()

    @JobQueue.task("t", time_limit=0.05)
    async def waits() -> None:
        async with made[0]:
            pass

    @JobQueue.task("t", time_limit=60)
    async def takes() -> None:
        made[0].release()
        async with made[0]:
            pass

    assert run("prepare").error is None
    assert isinstance(run("waits").error, TimeLimitExceeded)
    assert run("takes").error is None


def test_shielded(run: Run) -> None:
    """What a task shields goes on after the job, as asyncio means it."""
    ended = threading.Event()

    async def save() -> None:
        await asyncio.sleep(0.2)
        ended.set()

    @JobQueue.task("t", time_limit=0.05)
    async def work() -> None:
        await asyncio.shield(save())

    assert isinstance(run("work").error, TimeLimitExceeded)
    assert ended.wait(DEADLINE)


def test_ends_well_after_all(run: Run) -> None:
    """A task that handles its cancellation, and returns, has succeeded."""

    @JobQueue.task("t", time_limit=0.05)
    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await sleep()

    assert run("work").error is None


def test_traceback_of_an_async_limit(run: Run) -> None:
    """It shows where the task waited, and no code of the worker's."""

    @JobQueue.task("t", time_limit=0.05)
    async def work() -> None:
        await sleep()

    error = run("work").error
    assert error is not None
    text = "".join(traceback.format_exception(error))
    assert "await sleep()" in text
    assert "await asyncio.sleep(60)" in text
    assert "jobqueue/worker" not in text
    assert "CancelledError" not in text
