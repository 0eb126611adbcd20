"""Tasks that measure themselves: how long a round of jobs takes, and its CPU time."""

import asyncio
import itertools
import os
import time
from pathlib import Path

from jobqueue import JobQueue

JOBS = int(os.environ["CONTEST_JOBS"])  # in a round
TUBE = os.environ["CONTEST_TUBE"]
REPORT = Path(os.environ["CONTEST_REPORT"])  # a FIFO
FUNC_NAMES = os.environ["CONTEST_FUNC_NAMES"].split()

queue = JobQueue()


class Round:
    """The round that runs: it begins with its first job, and ends with its last."""

    def __init__(self) -> None:
        self.begun = itertools.count(1)
        self.ended = itertools.count(1)

    def begin(self) -> None:
        if next(self.begun) % JOBS == 1 % JOBS:
            self.started = time.perf_counter(), time.process_time()

    def end(self) -> None:
        if next(self.ended) % JOBS == 0:
            now = time.perf_counter(), time.process_time()
            seconds, cpu = (b - a for a, b in zip(self.started, now, strict=True))
            REPORT.write_text(f"{seconds} {cpu}\n")


this_round = Round()


def no_op() -> None:
    this_round.begin()
    this_round.end()


def fail() -> None:
    this_round.begin()
    this_round.end()
    fail_deeper(4)


def fail_deeper(calls: int) -> None:
    if not calls:
        raise ValueError("no")
    fail_deeper(calls - 1)


async def wait_async() -> None:
    this_round.begin()
    await asyncio.sleep(0.1)
    this_round.end()


for number in range(int(os.environ.get("CONTEST_MORE_TUBES", "0"))):
    queue.task(f"{TUBE}-{number}")(no_op)
for func in (no_op, fail, wait_async):  # the last tube: what searches finds it last
    if func.__name__ in FUNC_NAMES:
        queue.task(TUBE)(func)
