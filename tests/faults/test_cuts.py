"""The connection cut at every byte of every command and reply, over a real broker."""

import itertools
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from jobqueue import (
    Bury,
    ConnectionLostError,
    JobQueue,
    PutManyError,
    Retry,
    Worker,
    current_job,
)
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, eventually_true
from tests.helpers.worker_thread import with_timings, working

from .proxy import Direction, Kind, Proxy, Trouble

# More than one put or one job of a worker takes, so that the last are after it.
PUT_BYTES = {Direction.UP: 95, Direction.DOWN: 30}
PUT_MANY_BYTES = {Direction.UP: 260, Direction.DOWN: 60}


def work(number: int) -> None: ...


def every_byte(sizes: dict[Direction, int], kind: Kind = Kind.CUT) -> list[Trouble]:
    return [
        Trouble(direction, after, kind)
        for direction, size in sizes.items()
        for after in range(size)
    ]


def numbers_in(broker: Beanstalkd) -> Counter[int]:
    """Take all jobs out of the broker, and return how often each number was there."""
    found: Counter[int] = Counter()
    with broker.client("t") as client:
        while client.stats_tube("t")["current-jobs-ready"]:
            job = client.reserve(0)
            found[int(re.findall(rb'"number":(\d+)', job.body)[0])] += 1
            client.delete(job)
    return found


@pytest.fixture
def proxy(broker: Beanstalkd, socket_folder: Path) -> Iterator[Proxy]:
    with Proxy(socket_folder / "p.sock", str(broker.target)) as proxy:
        yield proxy


@pytest.mark.parametrize("has_idle_connection", [False, True])
def test_put(broker: Beanstalkd, proxy: Proxy, has_idle_connection: bool) -> None:
    """A put that returns has put the job, wherever its connection is cut.

    The second half: the put is tried once more, on a connection that holds.
    """
    plan = every_byte(PUT_BYTES)
    confirmed = set()
    for number, trouble in enumerate(plan, 1000):
        with JobQueue(proxy.url) as queue:
            put = queue.task("t")(work).put
            if has_idle_connection:
                queue.task("other")(work).put(number=0)
                eventually(lambda: len(proxy.links()), 1)
                proxy.links()[0].arm(trouble)
            else:
                proxy.plan.append(trouble)
            try:
                put(number=number)
                confirmed.add(number)
            except ConnectionLostError:
                assert not has_idle_connection
        eventually(proxy.links, [])  # so that nothing of it is on its way

    found = numbers_in(broker)
    assert confirmed <= found.keys()
    assert max(found.values()) <= 1 + has_idle_connection
    if has_idle_connection:
        assert len(confirmed) == len(plan)


def test_put_many(broker: Beanstalkd, proxy: Proxy) -> None:
    """The error says what became of each item."""
    numbers = itertools.count(1000)
    confirmed, refused = set(), set()
    for trouble in every_byte(PUT_MANY_BYTES):
        proxy.plan.append(trouble)
        three = [next(numbers) for _ in range(3)]
        ids: dict[int, int] = {}
        sent = 0
        with JobQueue(proxy.url) as queue:
            try:
                put_many = queue.task("t")(work).put_many
                ids = dict(enumerate(put_many({"number": n} for n in three)))
                sent = 3
            except PutManyError as error:
                ids = error.ids
                sent = error.index + error.unconfirmed
            except ConnectionLostError:
                pass  # before any was sent
        confirmed |= {three[n] for n in ids}
        refused |= set(three[sent:])
        eventually(proxy.links, [])

    found = numbers_in(broker)
    assert confirmed <= found.keys()
    assert refused.isdisjoint(found)
    assert set(found.values()) == {1}


def done(_number: int) -> None: ...


def touches(_number: int) -> None:
    current_job().touch()


def is_retried(_number: int) -> None:
    raise Retry(delay=0)


def is_buried(_number: int) -> None:
    raise Bury("as it should be")


# How many bytes go in each direction until such a job is settled.
WAYS_OF_A_JOB: list[tuple[Callable[[int], None], dict[Direction, int]]] = [
    (done, {Direction.UP: 160, Direction.DOWN: 560}),
    (touches, {Direction.UP: 170, Direction.DOWN: 570}),
    (is_retried, {Direction.UP: 190, Direction.DOWN: 900}),
    (is_buried, {Direction.UP: 190, Direction.DOWN: 900}),
]


def some_of(plan: Sequence[Trouble]) -> list[Trouble]:
    """Return all trouble on the way to the broker, and some of that on the way back.

    There most bytes are of statistics, one as good as the other. Those that are left
    out are others each time.
    """
    step = 20
    start = random.randrange(step)
    return [
        t
        for n, t in enumerate(plan)
        if t.direction is Direction.UP or n % step == start
    ]


def without_pauses(worker: Worker) -> Worker:
    return with_timings(
        worker, first_reconnect_pause=0.001, longest_reconnect_pause=0.001
    )


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.HALF_CLOSE, Kind.GARBLE])
@pytest.mark.parametrize("way_of_a_job", WAYS_OF_A_JOB, ids=lambda way: way[0].__name__)
def test_worker(
    request: pytest.FixtureRequest,
    broker: Beanstalkd,
    proxy: Proxy,
    way_of_a_job: tuple[Callable[[int], None], dict[Direction, int]],
    kind: Kind,
) -> None:
    """It loses no job, wherever its connection is cut, stalled or garbled."""
    caplog = request.getfixturevalue("caplog")
    caplog.set_level(logging.INFO)
    ends, sizes = way_of_a_job
    plan = every_byte(sizes, kind)
    if kind is Kind.GARBLE:
        plan = [trouble for trouble in plan if trouble.direction is Direction.DOWN]
    if request.config.getoption("faults") == "short":
        plan = some_of(plan)
    random.shuffle(plan)
    count = 3 * len(plan) + 9  # a connection may settle two jobs before its trouble
    ran: Counter[int] = Counter()

    def work(number: int) -> None:
        ran[number] += 1
        ends(number)

    with JobQueue(broker.url) as queue:
        task = queue.task("t", max_lost=None, retries=1)(work)
        ids = task.put_many({"number": n} for n in range(count))
        proxy.plan.extend(plan)
        with working(without_pauses(Worker(url=proxy.url))):
            left = {"buried"} if ends is is_buried or ends is is_retried else set()
            eventually_true(lambda: not proxy.plan, within=3 * DEADLINE)
            eventually_true(lambda: broker.counts("t").keys() == left, 3 * DEADLINE)

    assert ran.keys() == set(range(count))
    again = ran.total() - len(ran) * (2 if ends is is_retried else 1)
    assert again <= len(plan)
    settled = Counter(re.findall(r"Job (\d+) (?:done|buried)", caplog.text))
    assert settled.keys() <= set(map(str, ids))
    assert set(settled.values()) == {1}


def test_slow_bytes(broker: Beanstalkd, proxy: Proxy) -> None:
    """Replies may arrive byte by byte, or late."""
    ran = []
    proxy.chunk = 1
    with JobQueue(proxy.url) as queue:

        @queue.task("t")
        def work(number: int) -> None:
            ran.append(number)

        work.put(number=0)
        work.put_many({"number": n} for n in range(1, 20))
        with working(without_pauses(Worker())):
            eventually(lambda: broker.counts("t"), {})
            proxy.stall()
            with JobQueue(broker.url) as direct:
                direct.task("t")(work.__wrapped__).put(number=20)
            time.sleep(0.1)
            assert 20 not in ran
            proxy.flow()
            eventually(lambda: broker.counts("t"), {})

    assert ran == list(range(21))
