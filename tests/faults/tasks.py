"""The tasks of a campaign. Each run is noted in the ledger: its begin and its end."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jobqueue import (
    BrokerError,
    Bury,
    Job,
    JobQueue,
    Retry,
    TimeLimitExceeded,
    current_job,
)

from .books import Fate
from .hold_ups import watch_worker
from .ledger import Ledger
from .verdict import MAX_KICKS, MAX_LOST

PLAIN, HOOKED, FAILING = TUBES = "faults", "faults-hooked", "faults-failing"
LEDGER = "FAULTS_LEDGER"  # in the environment: the path
TTR = 3  # seconds
LONGER_THAN_TTR = 4  # seconds
TIME_LIMIT = 1  # seconds
MUCH_LONGER = 30  # seconds

queue = JobQueue(max_kicks=MAX_KICKS, max_lost=MAX_LOST)
hooked_queue = JobQueue(max_kicks=MAX_KICKS, max_lost=MAX_LOST)


class FailedOnceError(Exception):
    """Raised at the first attempt of a job that has a retry left."""


class _Listener(logging.Handler):
    """Notes in the ledger what the worker's log says about some jobs."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.WARNING)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        job_id = getattr(record, "job_id", None)
        if job_id is None:
            return
        if record.exc_info and isinstance(record.exc_info[1], TimeLimitExceeded):
            self._ledger.timed_out(job_id)
        text = record.getMessage()
        if "not reserved for this worker" in text:
            seconds = getattr(record, "seconds", None) or 0
            self._ledger.expired(job_id, time.monotonic() - seconds)
        if "buried while it runs" in text:
            self._ledger.doubted(job_id)


def _ledger() -> Ledger:
    """Return the ledger; at the first call, begin to note what happens to this process.

    That is after any fork.
    """
    with _opening:
        return _opened_ledger()


_opening = threading.Lock()  # several threads may run their first jobs at a time


@cache
def _opened_ledger() -> Ledger:
    ledger = Ledger(Path(os.environ[LEDGER]))
    logging.getLogger("jobqueue.worker").addHandler(_Listener(ledger))
    watch_worker(ledger)
    return ledger


@contextmanager
def recorded(job: Job) -> Iterator[None]:
    """Note that a job begins, and how it has ended."""
    # The arrival of the job, not of this line: a fault may come in between.
    began = getattr(job.reservation, "began", 0)
    run = job.kwargs["number"], job.id, os.getpid(), began
    _ledger().note("began", *run)
    try:
        yield
    except (FailedOnceError, Retry):
        _ledger().note("again", *run, time.monotonic())
        raise
    except BrokerError:  # the task itself has asked the broker
        _ledger().note("cut-off", *run, time.monotonic())
        raise
    except BaseException:
        _ledger().note("for-good", *run, time.monotonic())
        raise
    _ledger().note("ended", *run, time.monotonic())


@hooked_queue.around
def record(job: Job) -> Iterator[None]:
    with recorded(job):
        yield


@queue.task(PLAIN)
def quick(number: int) -> None:
    with recorded(current_job()):
        pass


@queue.task(PLAIN)
def slow(number: int) -> None:
    with recorded(current_job()):
        time.sleep(0.1)


@queue.task(PLAIN)
async def waits(number: int) -> None:
    with recorded(current_job()):
        await asyncio.sleep(0.1)


@hooked_queue.task(HOOKED)
def hooked(number: int) -> None:
    time.sleep(0.02)


@hooked_queue.task(HOOKED, time_limit=MUCH_LONGER)
async def hooked_and_waits(number: int) -> None:
    await asyncio.sleep(0.05)


@hooked_queue.task(HOOKED, retries=1, backoff=1)
def fails_once(number: int) -> None:
    if current_job().attempt == 1:
        raise FailedOnceError


@hooked_queue.task(HOOKED, retries=1)
async def asks_for_a_retry(number: int) -> None:
    if current_job().attempt == 1:
        raise Retry(delay=1)


@queue.task(PLAIN)
def outlasts_its_ttr(number: int) -> None:
    with recorded(current_job()):
        time.sleep(LONGER_THAN_TTR)


@queue.task(PLAIN)
async def awaits_beyond_its_ttr(number: int) -> None:
    with recorded(current_job()):
        await asyncio.sleep(LONGER_THAN_TTR)


@queue.task(FAILING)
def buries(number: int) -> None:
    with recorded(current_job()):
        raise Bury("as it should")


@queue.task(FAILING)
def fails_until_kicked(number: int) -> None:
    with recorded(current_job()):
        stats = current_job().reservation.stats()
        if stats is None or not stats.kicks:
            raise RuntimeError("as it should, until it is kicked")


@hooked_queue.task(FAILING, time_limit=TIME_LIMIT)
def overruns(number: int) -> None:
    ends_at = time.monotonic() + MUCH_LONGER
    while time.monotonic() < ends_at:
        time.sleep(0.01)


@hooked_queue.task(FAILING, time_limit=TIME_LIMIT)
async def awaits_too_long(number: int) -> None:
    await asyncio.sleep(MUCH_LONGER)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: its task, how often it is put, and how it has to end."""

    task: Any
    tube: str
    weight: int
    fate: Fate = Fate.ENDS_WELL
    ttr: int = 600  # seconds


KINDS = [
    Kind(quick, PLAIN, 450),
    Kind(slow, PLAIN, 250),
    Kind(waits, PLAIN, 100),
    Kind(hooked, HOOKED, 60),
    Kind(hooked_and_waits, HOOKED, 40, ttr=TTR),
    Kind(fails_once, HOOKED, 40, ttr=TTR),
    Kind(asks_for_a_retry, HOOKED, 20),
    Kind(outlasts_its_ttr, PLAIN, 3, ttr=TTR),
    Kind(awaits_beyond_its_ttr, PLAIN, 3, ttr=TTR),
    Kind(buries, FAILING, 10, Fate.FAILS),
    Kind(fails_until_kicked, FAILING, 15, Fate.FAILS_UNTIL_KICKED),
    Kind(overruns, FAILING, 3, Fate.FAILS, ttr=TTR),
    Kind(awaits_too_long, FAILING, 3, Fate.FAILS, ttr=TTR),
]
