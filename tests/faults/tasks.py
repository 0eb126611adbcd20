"""The tasks of a campaign: sync and async ones, so that each slot has a thread."""

import asyncio
import time
from collections.abc import Iterator

from jobqueue import Bury, Job, Retry, current_job

from .books import Fate
from .recording import (
    FAILING,
    LONGER_THAN_TTR,
    MOVED,
    MUCH_LONGER,
    PLAIN,
    TIME_LIMIT,
    TTR,
    FailedOnceError,
    Kind,
    fail_until_kicked,
    make_queue,
    recorded,
)

queue = make_queue()
hooked_queue = make_queue()


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


@hooked_queue.task(MOVED)
def hooked(number: int) -> None:
    time.sleep(0.02)


@hooked_queue.task(MOVED, time_limit=MUCH_LONGER)
async def hooked_and_waits(number: int) -> None:
    await asyncio.sleep(0.05)


@hooked_queue.task(MOVED, retries=1, backoff=1)
def fails_once(number: int) -> None:
    if current_job().attempt == 1:
        raise FailedOnceError


@hooked_queue.task(MOVED, retries=1)
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
        fail_until_kicked()


@hooked_queue.task(FAILING, time_limit=TIME_LIMIT)
def overruns(number: int) -> None:
    ends_at = time.monotonic() + MUCH_LONGER
    while time.monotonic() < ends_at:
        time.sleep(0.01)


@hooked_queue.task(FAILING, time_limit=TIME_LIMIT)
async def awaits_too_long(number: int) -> None:
    await asyncio.sleep(MUCH_LONGER)


KINDS = [
    Kind(quick, PLAIN, 450),
    Kind(slow, PLAIN, 250),
    Kind(waits, PLAIN, 100),
    Kind(hooked, MOVED, 60),
    Kind(hooked_and_waits, MOVED, 40, ttr=TTR),
    Kind(fails_once, MOVED, 40, ttr=TTR),
    Kind(asks_for_a_retry, MOVED, 20),
    Kind(outlasts_its_ttr, PLAIN, 3, ttr=TTR),
    Kind(awaits_beyond_its_ttr, PLAIN, 3, ttr=TTR),
    Kind(buries, FAILING, 10, Fate.FAILS),
    Kind(fails_until_kicked, FAILING, 15, Fate.FAILS_UNTIL_KICKED),
    Kind(overruns, FAILING, 3, Fate.FAILS, ttr=TTR),
    Kind(awaits_too_long, FAILING, 3, Fate.FAILS, ttr=TTR),
]
