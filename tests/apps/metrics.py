"""Tasks with each kind of ending."""

import os
import time

from jobqueue import Bury, JobQueue

# A slot that stops at the moment when a job arrives counts as a loss of that job.
queue = JobQueue(max_lost=None)


@queue.task("t")
def work(seconds: float = 0) -> None:
    time.sleep(seconds)


@queue.task("t")
def fail() -> None:
    raise Bury


@queue.task("t", retries=1, backoff=0)
def retry() -> None:
    raise ValueError


@queue.task("t", max_kicks=0)
def give_up() -> None:
    raise ValueError


@queue.task("t", max_lost=1)
def die() -> None:
    os._exit(9)


@queue.task("t", time_limit=0.2)
def stick() -> None:
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass


@queue.task("t")
def fork() -> None:
    child = os.fork()
    if child:
        print("forked", child, flush=True)
    else:
        time.sleep(600)


@queue.task("elsewhere")
async def other() -> None: ...
