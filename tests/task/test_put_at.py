"""``at`` is a point in time: each write of a put has the delay that is left by then."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest

from jobqueue import JobQueue, OptionError
from jobqueue.broker import put_options
from jobqueue.broker.put_options import PutOptions
from tests.helpers.servers import Beanstalkd


class Clock:
    """The time of day, as puts see it. Tests set it forward and back."""

    ahead = 0  # seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    seconds_until = put_options._seconds_until
    monkeypatch.setattr(
        put_options, "_seconds_until", lambda at: seconds_until(at) - clock.ahead
    )
    return clock


def in_seconds(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def slow(clock: Clock, pauses: dict[int, int], count: int) -> Iterator[Any]:
    """Yield items; before some of them a number of seconds passes."""
    for n in range(count):
        clock.ahead += pauses.get(n, 0)
        yield {"n": n}


@pytest.mark.parametrize("is_async", [False, True])
def test_slow_iterable(
    broker: Beanstalkd, queue: JobQueue, clock: Clock, is_async: bool
) -> None:
    """Jobs of one put_many are due at one time, however long their items took."""

    @queue.task("t")
    def work(n: int) -> None: ...

    task = work.options(at=in_seconds(1000))
    items = slow(clock, {3: 100, 500: 300, 700: 200, 1000: 500}, 1001)
    ids = asyncio.run(task.aput_many(items)) if is_async else task.put_many(items)

    # 500 items a write: 100, 600 and 1100 seconds have passed when each is sent.
    for n, delay in ((0, 900), (499, 900), (500, 400), (999, 400), (1000, 0)):
        assert delay - 20 <= broker.stats_job(ids[n])["delay"] <= delay


def test_a_put_long_after(broker: Beanstalkd, queue: JobQueue, clock: Clock) -> None:
    @queue.task("t", at=in_seconds(1000))
    def work() -> None: ...

    clock.ahead = 600

    assert 380 <= broker.stats_job(work.put())["delay"] <= 400


def test_a_clock_set_back(clock: Clock) -> None:
    """A delay stays one that beanstalkd takes."""
    options = PutOptions(at=in_seconds(2**32 - 10))
    clock.ahead = -86_400

    assert options.delay_now() == 2**32 - 1


class NaT(datetime):
    """Like pandas' NaT: a datetime that is none."""

    def utcoffset(self) -> timedelta:
        raise ValueError("NaTType does not support utcoffset")


class NoZone(tzinfo):
    def dst(self, _when: datetime | None) -> None: ...

    def tzname(self, _when: datetime | None) -> None: ...

    def utcoffset(self, _when: datetime | None) -> timedelta:
        raise LookupError("no such zone")


@pytest.mark.parametrize("at", [NaT(2030, 1, 1), datetime(2030, 1, 1, tzinfo=NoZone())])
def test_no_point_in_time(queue: JobQueue, at: datetime) -> None:
    with pytest.raises(OptionError, match="at has to be a datetime with a timezone"):
        queue.task("t", at=at)
