"""Tasks of the benchmark of a worker."""

import asyncio
import time

from jobqueue import JobQueue

queue = JobQueue()


@queue.task("noop")
def noop() -> None: ...


@queue.task("computes")
def compute() -> None:
    until = time.thread_time() + 0.002
    while time.thread_time() < until:
        pass


@queue.task("waits")
def wait() -> None:
    time.sleep(0.1)


@queue.task("waits")
async def wait_async() -> None:
    await asyncio.sleep(0.1)
