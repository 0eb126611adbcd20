"""The tasks of a campaign with async tasks only, whose slots are on the event loop."""

import asyncio
import time

from jobqueue import Bury, Retry, current_job

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
    note_slot_threads,
    recorded,
)

# None has a hook, which would have each slot get a thread.
queue = make_queue()


@queue.task(PLAIN)
async def quick(number: int) -> None:
    with recorded(current_job()):
        pass


@queue.task(PLAIN)
async def waits(number: int) -> None:
    with recorded(current_job()):
        await asyncio.sleep(0.1)
        note_slot_threads()


@queue.task(PLAIN)
async def blocks_the_loop(number: int) -> None:
    with recorded(current_job()):
        await asyncio.sleep(0.05)
        time.sleep(1)  # noqa: ASYNC251 - other jobs have to come through that


@queue.task(PLAIN)
async def asks_in_a_thread(number: int) -> None:
    with recorded(current_job()):
        await asyncio.to_thread(current_job().touch)


@queue.task(MOVED, time_limit=MUCH_LONGER)
async def waits_in_a_limit(number: int) -> None:
    with recorded(current_job()):
        await asyncio.sleep(0.05)


@queue.task(MOVED, retries=1, backoff=1)
async def fails_once(number: int) -> None:
    with recorded(current_job()):
        if current_job().attempt == 1:
            raise FailedOnceError


@queue.task(MOVED, retries=1)
async def asks_for_a_retry(number: int) -> None:
    with recorded(current_job()):
        if current_job().attempt == 1:
            raise Retry(delay=1)


@queue.task(PLAIN)
async def awaits_beyond_its_ttr(number: int) -> None:
    with recorded(current_job()):
        await asyncio.sleep(LONGER_THAN_TTR)


@queue.task(PLAIN)
async def blocks_beyond_its_ttr(number: int) -> None:
    with recorded(current_job()):
        if number % 6 == 0:  # few of a batch: all would outlast the shutdown timeout
            time.sleep(LONGER_THAN_TTR)  # noqa: ASYNC251 - see blocks_the_loop


@queue.task(FAILING)
async def buries(number: int) -> None:
    with recorded(current_job()):
        raise Bury("as it should")


@queue.task(FAILING)
async def fails_until_kicked(number: int) -> None:
    with recorded(current_job()):
        fail_until_kicked()


@queue.task(FAILING, time_limit=TIME_LIMIT)
async def awaits_too_long(number: int) -> None:
    with recorded(current_job()):
        await asyncio.sleep(MUCH_LONGER)


KINDS = [
    Kind(quick, PLAIN, 400),
    Kind(waits, PLAIN, 350),
    Kind(blocks_the_loop, PLAIN, 4),
    Kind(asks_in_a_thread, PLAIN, 40),
    Kind(waits_in_a_limit, MOVED, 80, ttr=TTR),
    Kind(fails_once, MOVED, 40, ttr=TTR),
    Kind(asks_for_a_retry, MOVED, 20),
    Kind(awaits_beyond_its_ttr, PLAIN, 8, ttr=TTR),
    Kind(blocks_beyond_its_ttr, PLAIN, 1, ttr=TTR),
    Kind(buries, FAILING, 10, Fate.FAILS),
    Kind(fails_until_kicked, FAILING, 15, Fate.FAILS_UNTIL_KICKED),
    Kind(awaits_too_long, FAILING, 6, Fate.FAILS, ttr=TTR),
]
