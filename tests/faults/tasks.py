"""The tasks of a campaign. Each first notes its run in the ledger."""

import asyncio
import os
import time
from functools import cache
from pathlib import Path

from jobqueue import Bury, JobQueue, current_job

from .ledger import Ledger

TUBE = "faults"
LEDGER = "FAULTS_LEDGER"  # in the environment: the path

queue = JobQueue()


@cache
def _ledger() -> Ledger:
    return Ledger(Path(os.environ[LEDGER]))


def _note(kind: str, number: int) -> None:
    job = current_job()
    # The arrival of the job, not of this line: a fault may come in between.
    began = getattr(job.reservation, "began", 0)
    _ledger().note(kind, number, job.id, os.getpid(), began)


@queue.task(TUBE)
def quick(number: int) -> None:
    _note("began", number)


@queue.task(TUBE)
def slow(number: int) -> None:
    _note("began", number)
    time.sleep(0.1)


@queue.task(TUBE)
async def waits(number: int) -> None:
    _note("began", number)
    await asyncio.sleep(0.1)


@queue.task(TUBE, retries=1, backoff=1)
def fails_once(number: int) -> None:
    _note("began", number)
    if current_job().attempt == 1:
        _note("failed", number)
        raise RuntimeError("as it should, once")


@queue.task(TUBE)
def fails(number: int) -> None:
    _note("began", number)
    raise Bury("as it should")


ALL = {task.__name__: task for task in (quick, slow, waits, fails_once, fails)}
