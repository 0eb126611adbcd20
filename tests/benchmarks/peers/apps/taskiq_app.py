"""The tasks in taskiq."""

import asyncio
import time
from functools import cache

from taskiq_redis import RedisStreamBroker

from tests.benchmarks.peers.apps import shared

# The broker of the documentation's example. Of the three it is the one that brings back
# the jobs of a worker that was killed.
broker = RedisStreamBroker(url=shared.broker_url())


@broker.task
async def noop(arg1: str, arg2: str, arg3: str) -> None:
    """Do nothing but tell that it was done."""
    shared.write_byte()


@broker.task
async def wait() -> None:
    """Wait as for a reply over the network."""
    await asyncio.sleep(shared.WAIT)
    shared.write_byte()


@broker.task
async def stamp(sent: int) -> None:
    """Tell how long ago it was put."""
    shared.write_latency(sent)


@cache
def _loop() -> asyncio.Runner:
    """Return the producer's loop, with the broker started in it."""
    runner = asyncio.Runner()
    runner.run(broker.startup())
    return runner


def put(task: str, count: int) -> None:
    """Put jobs one by one."""

    async def put_each() -> None:
        for _ in range(count):
            if task == "noop":
                await noop.kiq(arg1="a", arg2="b", arg3="c")
            else:
                await wait.kiq()

    _loop().run(put_each())


def put_many(count: int) -> None:
    """Put no-op jobs many at a time, over as many connections as the pool has."""

    async def put_all() -> None:
        for size in shared.batches(count):
            await asyncio.gather(*(noop.kiq(**shared.ARGUMENTS) for _ in range(size)))

    _loop().run(put_all())


def put_stamps(pace: float, count: int) -> None:
    """Put jobs that tell how long they took to start."""

    async def put_each() -> None:
        for pause in shared.ticks(pace, count):
            await asyncio.sleep(pause)
            await stamp.kiq(sent=time.monotonic_ns())

    _loop().run(put_each())
