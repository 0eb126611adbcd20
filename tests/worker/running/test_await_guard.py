"""What a guard says of the event loop while its job ends at the time limit."""

import asyncio

import pytest

from jobqueue import TimeLimitExceeded
from jobqueue.worker.running.event_loop import AwaitGuard


def test_blocked_before_the_job_sees_the_limit() -> None:
    """Code that runs between the cancellation and the job's next step holds it up."""
    guard = AwaitGuard()
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((guard.is_held_up(), guard.is_loop_blocked()))

    async def stops_late() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            look()

    async def run() -> None:
        job = asyncio.create_task(guard.guarding(stops_late()))
        await asyncio.sleep(0)
        guard.interrupt()
        asyncio.get_running_loop().call_soon(look)
        with pytest.raises(TimeLimitExceeded):
            await job

    asyncio.run(run())

    assert seen == [(True, True), (False, False)]
