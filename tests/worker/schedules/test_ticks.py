"""Ticks on a real broker, with a clock of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from jobqueue import JobQueue
from jobqueue.broker.address import Address
from jobqueue.broker.operating import FoundJob
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.settlement import DONE
from jobqueue.broker.stats import JobState
from jobqueue.broker.ticking import TickingConnection
from jobqueue.job.body import Message, decode
from jobqueue.schedule.tick import Tick, decode_tick
from jobqueue.task.registry import subscriber
from jobqueue.worker.schedules.scheduled_task import ScheduledTask
from jobqueue.worker.schedules.ticks import Ticks
from tests.helpers.servers import Beanstalkd, eventually, eventually_true

HOUR = 3600
NOON = 500_000 * HOUR
TUBE = "jobqueue.schedules/t/f"


class Keeper:
    """A worker's hand on one schedule, without its thread."""

    def __init__(
        self, broker: Beanstalkd, now: float = NOON - 60, **options: Any
    ) -> None:
        self.now = now
        queue = JobQueue(broker.url, secret=options.pop("secret", None))

        @queue.task("t", **({"every": HOUR} | options))
        def f() -> None: ...

        task = subscriber.tasks(["t"])[-1]
        assert task.schedule
        self.connection = TickingConnection(Address.parse(broker.url))
        scheduled = ScheduledTask.of(task, task.schedule)
        self.ticks = Ticks(self.connection, [scheduled], lambda: self.now, now)
        self.ticks.watch()

    def all(self) -> list[tuple[int, Tick]]:
        """Return the ticks that are there, delayed or ready."""
        found = []
        for state in (JobState.DELAYED, JobState.READY):
            job_id = self.connection.first(TUBE, state)
            if job_id is not None:
                (body,) = self.connection.bodies([job_id])
                tick = decode_tick(body or b"")
                assert tick
                found.append((job_id, tick))
        return found

    def one(self) -> Tick:
        """Return the one tick, which is delayed until it is due."""
        ((job_id, tick),) = self.all()
        (stats,) = self.connection.jobs([job_id])
        assert stats
        assert stats.priority == tick.due
        assert stats.state is JobState.DELAYED
        assert abs(stats.time_left - (tick.due - self.now)) < 2
        return tick

    def take(self) -> FoundJob:
        """Reserve the one tick."""
        ((job_id, _),) = self.all()
        body = self.connection.reserve_job(job_id)
        assert body
        return FoundJob(job_id, body)

    def take_first(self) -> FoundJob:
        """Reserve a tick, of several."""
        job_id = self.connection.first(TUBE, JobState.DELAYED)
        body = self.connection.reserve_job(job_id or 0)
        assert job_id
        assert body
        return FoundJob(job_id, body)

    def is_due(self, at: float | None = None) -> Tick:
        """Let the tick be handed out at a time, and return the one that follows."""
        self.now = self.one().due if at is None else at
        assert self.ticks.handle(self.take())
        ((_, tick),) = self.all()
        return tick

    def is_due_at_once(self) -> Tick:
        found = self.connection.reserve(0)
        assert found
        assert self.ticks.handle(FoundJob(*found))
        return self.one()


Make = Callable[..., Keeper]


@pytest.fixture
def make(broker: Beanstalkd) -> Iterator[Make]:
    """Return a function that makes a worker's hand on the schedule."""
    with ExitStack() as stack:

        def make(**options: Any) -> Keeper:
            keeper = Keeper(broker, **options)
            stack.enter_context(keeper.connection)
            return keeper

        yield make


@pytest.fixture
def keeper(make: Make) -> Keeper:
    keeper = make()
    assert keeper.ticks.check()
    return keeper


def jobs(broker: Beanstalkd) -> dict[str, int]:
    return broker.counts("t")


def test_first_tick(keeper: Keeper, broker: Beanstalkd) -> None:
    assert keeper.one() == Tick(
        "t",
        "f",
        NOON,
        "every 3600 s",
        NOON - 60,
        priority=65536,
        ttr=60,
        code=keeper.ticks._other_code.own,
    )
    before = keeper.all()
    assert keeper.ticks.check()
    assert keeper.all() == before
    assert jobs(broker) == {}


def test_due(make: Make) -> None:
    """The job has the task's options but for its delay, and says when it was due."""
    keeper = make(priority=5, ttr=6, delay=7)
    keeper.ticks.check()

    tick = keeper.is_due()

    assert tick == keeper.one()
    assert (tick.due, tick.last_due, tick.last_put) == (NOON + HOUR, NOON, NOON)
    found = keeper.connection.job(tick.last_job)
    assert found
    stats, body = found
    assert (stats.state, stats.priority, stats.ttr) == ("ready", 5, 6)
    due = datetime.fromtimestamp(NOON, UTC)
    assert decode(body) == Message("f", "t", {}, {}, due=due)


def test_due_within_the_second(keeper: Keeper, broker: Beanstalkd) -> None:
    """A tick that comes early by less than a second is held, and not put back."""
    keeper.now = NOON - 0.5

    found = keeper.take()

    assert not keeper.ticks.handle(found)
    assert broker.stats_job(found.id)["state"] == "reserved"
    keeper.now = NOON
    assert keeper.ticks.handle(found)
    assert jobs(broker) == {"ready": 1}


def test_late_tick_that_another_worker_has(
    make: Make, keeper: Keeper, broker: Beanstalkd
) -> None:
    """The process was frozen, and knows no more than it did."""
    found = keeper.take()
    keeper.connection.close()
    other = make(now=NOON)
    other.is_due(NOON)
    frozen = make(now=NOON + 9)

    assert frozen.ticks.handle(found)

    assert jobs(broker) == {"ready": 1}
    assert other.one().last_due == NOON


def test_kicked_by_a_stranger(keeper: Keeper, broker: Beanstalkd) -> None:
    with broker.client(TUBE) as client:
        assert client.kick(10) == 1

    found = keeper.connection.reserve(1)
    assert found
    assert keeper.ticks.handle(FoundJob(*found))

    assert keeper.one().due == NOON
    assert jobs(broker) == {}


def test_buried(keeper: Keeper) -> None:
    (job_id, _), *_ = keeper.all()
    keeper.connection.bury(job_id, NOON)

    assert keeper.ticks.check()

    assert keeper.one().due == NOON


def test_two_workers_start_at_once(make: Make, broker: Beanstalkd) -> None:
    """Of two ticks, the one with a history stays, or else the older one."""
    keepers = [make(), make()]
    ids = [put_tick(keeper, NOON) for keeper in keepers]

    assert keepers[1].ticks.check()

    assert [job_id for job_id, _ in keepers[0].all()] == ids[:1]
    assert broker.counts(TUBE) == {"delayed": 1}
    later = put_tick(keepers[0], NOON + HOUR, last_due=NOON)
    assert keepers[0].ticks.check()
    assert [job_id for job_id, _ in keepers[1].all()] == [later]
    assert broker.counts(TUBE) == {"delayed": 1}


def put_tick(keeper: Keeper, due: int, **fields: Any) -> int:
    """Put a tick, as another worker may."""
    (task,) = keeper.ticks._tasks.values()
    tick = task.own(task.first_tick(due), NOON, keeper.ticks._other_code.own)._replace(
        **fields
    )
    options = PutOptions(priority=due, delay=due - NOON + 60)
    return keeper.connection.put(TUBE, tick.encode(task.signing), options)


def test_two_ticks_of_which_another_worker_holds_one(
    make: Make, keeper: Keeper, broker: Beanstalkd
) -> None:
    found = keeper.take()
    other = make()
    put_tick(other, NOON)

    assert not other.ticks.check()

    keeper.now = NOON
    keeper.ticks.handle(found)
    assert other.ticks.check()
    assert keeper.one().last_due == NOON
    assert jobs(broker) == {"ready": 1}


def test_two_ticks_of_one_due_time(keeper: Keeper, broker: Beanstalkd) -> None:
    """A worker died between putting the next tick and deleting the old one, say."""
    put_tick(keeper, NOON)
    keeper.now = NOON

    assert keeper.ticks.handle(keeper.take_first())

    assert jobs(broker) == {"ready": 1}
    assert broker.counts(TUBE) == {"delayed": 1}
    assert keeper.one().last_due == NOON


def test_tick_whose_last_is_just_being_deleted(
    make: Make, keeper: Keeper, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late ones are put at once: none gives way to a worker that is done."""
    old = keeper.take()
    other = make(now=NOON)
    put_tick(other, NOON)
    monkeypatch.setattr("time.sleep", lambda _: keeper.connection.settle(old.id, DONE))

    assert other.ticks.handle(other.take())

    assert jobs(broker) == {"ready": 1}
    assert other.one().due == NOON + HOUR


def test_tick_whose_next_is_there(keeper: Keeper, broker: Beanstalkd) -> None:
    old = keeper.take()
    put_tick(keeper, NOON + HOUR, last_due=NOON)
    keeper.now = NOON

    assert keeper.ticks.handle(old)

    assert jobs(broker) == {}
    assert broker.counts(TUBE) == {"delayed": 1}
    assert keeper.one().last_due == NOON


def test_two_ticks_that_two_workers_hold(make: Make, broker: Beanstalkd) -> None:
    """They started at once, right before a due time. One of them gives way."""
    keepers = [make(), make()]
    for keeper in keepers:
        put_tick(keeper, NOON)
    held = {keeper: keeper.take_first() for keeper in keepers}
    for keeper in keepers:
        keeper.now = NOON

    def is_put() -> bool:
        for keeper, found in list(held.items()):
            if keeper.ticks.handle(found):
                del held[keeper]
        if not held and not jobs(broker):
            for keeper in keepers:
                if broker.counts(TUBE).get("delayed"):
                    held[keeper] = keeper.take_first()
        return bool(jobs(broker))

    eventually_true(is_put)

    assert jobs(broker) == {"ready": 1}
    for keeper, found in held.items():
        keeper.ticks.handle(found)
    assert jobs(broker) == {"ready": 1}
    assert broker.counts(TUBE) == {"delayed": 1}


def test_last_job_is_still_waiting(keeper: Keeper, broker: Beanstalkd) -> None:
    first = keeper.is_due()
    second = keeper.is_due()
    third = keeper.is_due()

    assert jobs(broker) == {"ready": 1}
    assert first.last_job == second.last_job == third.last_job
    assert third.last_put == NOON
    assert third.last_due == NOON + 2 * HOUR
    with broker.client("t") as client:
        job = client.reserve()  # it runs: the next one may wait
        assert keeper.is_due().last_job != first.last_job
        client.release(job, delay=60)
    assert jobs(broker) == {"ready": 1, "delayed": 1}
    keeper.is_due()
    assert jobs(broker) == {"ready": 1, "delayed": 1}


def test_last_job_is_to_be_retried(keeper: Keeper, broker: Beanstalkd) -> None:
    keeper.is_due()
    with broker.client("t") as client:
        client.release(client.reserve(), delay=60)

    keeper.is_due()

    assert jobs(broker) == {"delayed": 1}


def test_last_job_is_buried_or_another(keeper: Keeper, broker: Beanstalkd) -> None:
    last = keeper.is_due().last_job
    with broker.client("t") as client:
        client.bury(client.reserve())
    assert keeper.is_due().last_job != last
    assert jobs(broker) == {"buried": 1, "ready": 1}

    other = broker.put(b"{}", "t")
    put_tick_in_place(keeper, last_job=other)
    keeper.is_due()
    assert jobs(broker) == {"buried": 1, "ready": 3}


def put_tick_in_place(keeper: Keeper, **fields: Any) -> None:
    ((_, tick),) = keeper.all()
    (task,) = keeper.ticks._tasks.values()
    keeper.ticks._replace(keeper.take(), task, tick._replace(**fields))


def test_jobs_may_pile_up(make: Make, broker: Beanstalkd) -> None:
    keeper = make(pile_up=True)
    keeper.ticks.check()

    keeper.is_due()
    keeper.is_due()

    assert jobs(broker) == {"ready": 2}


def test_late(make: Make, broker: Beanstalkd, caplog: pytest.LogCaptureFixture) -> None:
    keeper = make(late=60)
    keeper.ticks.check()

    assert keeper.is_due(NOON + 60).last_due == NOON
    assert jobs(broker) == {"ready": 1}
    tick = keeper.is_due(NOON + HOUR + 61)

    assert jobs(broker) == {"ready": 1}
    assert (tick.due, tick.last_due) == (NOON + 2 * HOUR, NOON + HOUR)
    assert "no job for" in caplog.text
    assert "61 s ago: more than its late= allows" in caplog.text


def test_changed_schedule(
    make: Make, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    keeper.is_due()
    new = make(now=NOON + 10, every=60)

    assert new.ticks.check()

    tick = new.one()
    assert (tick.due, tick.definition) == (NOON + 60, "every 60 s")
    assert tick.last_due == NOON
    # A worker with the old code, as in a rolling deploy, leaves it alone.
    keeper.now = NOON + 20
    assert keeper.ticks.check()
    assert keeper.ticks.handle(keeper.take())
    assert [tick for _, tick in new.all()] == [tick]
    keeper.now = NOON + 40
    assert keeper.ticks.check()
    assert [tick for _, tick in new.all()] == [tick]
    left = "left to a worker that has started later, whose code says every 60 s"
    assert caplog.text.count(left) == 1


def test_changed_schedule_whose_code_is_gone(
    make: Make, keeper: Keeper, broker: Beanstalkd
) -> None:
    """It is taken over long before it is due, by whoever is left."""
    new = make(now=NOON - 50, every=86400)
    assert new.ticks.check()
    keeper.now = NOON - 40
    assert keeper.ticks.check()
    assert keeper.all()[0][1].definition == "every 86400 s"
    new.connection.close()
    eventually(lambda: watchers(broker), 1)
    keeper.now = NOON - 20

    assert keeper.ticks.check()

    assert keeper.one().definition == "every 3600 s"
    assert keeper.one().due == NOON


def watchers(broker: Beanstalkd) -> int:
    with broker.client() as client:
        return int(client.stats_tube(TUBE)["current-watching"])


class BrokenTimes(NamedTuple):
    """Due times whose library fails."""

    text: str = "every 3600 s"

    def next_after(self, moment: float) -> int:
        raise ZeroDivisionError("no")

    def latest(self, since: int, now: float) -> int:
        raise ZeroDivisionError("no")


@pytest.mark.parametrize("is_there", [True, False], ids=["a tick", "no tick"])
def test_due_times_that_fail(
    make: Make, broker: Beanstalkd, caplog: pytest.LogCaptureFixture, *, is_there: bool
) -> None:
    """That is said once, and other schedules go on."""
    caplog.set_level("INFO")
    keeper = make()
    (sound,) = keeper.ticks._tasks.values()
    broken = sound._replace(
        func_name="broken",
        tick_tube="jobqueue.schedules/t/broken",
        schedule=sound.schedule._replace(times=BrokenTimes()),
    )
    if is_there:
        tick = broken.own(broken.first_tick(NOON - 90), NOON, "")
        broker.put(tick.encode(broken.signing), broken.tick_tube)
    ticks = Ticks(keeper.connection, [broken, sound], lambda: keeper.now, NOON)
    ticks.watch()

    for _ in range(2):
        assert ticks.check()
    if is_there:
        found = keeper.connection.reserve(0)
        assert found
        assert ticks.handle(FoundJob(*found))
        assert broker.counts(broken.tick_tube) == {"delayed": 1}
    keeper.now = NOON
    assert ticks.handle(keeper.take())

    assert jobs(broker) == {"ready": 1}
    assert caplog.text.count("Schedule t/broken: ZeroDivisionError: no") == 1
    assert "left to a worker" not in caplog.text


def test_renamed_task(keeper: Keeper, broker: Beanstalkd) -> None:
    """The tick whose code is gone stays: another worker may still have that code."""
    ((old, _),) = keeper.all()
    keeper.connection.close()
    queue = JobQueue(broker.url)

    @queue.task("t", every=HOUR)
    def g() -> None: ...

    (_, task) = subscriber.tasks(["t"])
    assert task.schedule
    with TickingConnection(Address.parse(broker.url)) as connection:
        scheduled = ScheduledTask.of(task, task.schedule)
        Ticks(connection, [scheduled], lambda: NOON, NOON).check()

    assert broker.stats_job(old)["state"] == "delayed"
    assert broker.counts("jobqueue.schedules/t/g") == {"delayed": 1}


def test_clock_is_set_forward(keeper: Keeper, broker: Beanstalkd) -> None:
    """The broker counts a delay by its own clock: the check finds a tick too late."""
    keeper.now = NOON + 5

    assert keeper.ticks.check()

    assert jobs(broker) == {"ready": 1}
    assert keeper.one().due == NOON + HOUR


def test_clock_is_set_back(keeper: Keeper, broker: Beanstalkd) -> None:
    """What was put is not put again, unless the clock was wrong by far."""
    keeper.is_due()
    before = keeper.all()
    keeper.now = NOON - 5  # another worker's clock, say
    assert keeper.ticks.check()
    assert keeper.all() == before

    keeper.now = NOON - 5.5 * HOUR  # the last put's clock was wrong
    assert keeper.ticks.check()
    assert keeper.one().due == NOON - 5 * HOUR
    assert jobs(broker) == {"ready": 1}


def test_broker_that_forgot_everything(
    make: Make, keeper: Keeper, broker: Beanstalkd
) -> None:
    """What was due while it was away is put late."""
    broker.kill()
    broker.start()
    keeper = make(now=NOON + 60)

    assert keeper.ticks.check(missing_since=NOON - 1)

    assert keeper.is_due_at_once().last_due == NOON
    assert jobs(broker) == {"ready": 1}


def test_draining_broker(keeper: Keeper, broker: Beanstalkd) -> None:
    found = keeper.take()
    broker.drain()
    keeper.now = NOON
    eventually(lambda: is_draining(broker), True)

    assert keeper.ticks.handle(found)

    stats = broker.stats_job(found.id)
    assert (stats["state"], stats["delay"], stats["pri"]) == ("delayed", 2, NOON)
    assert jobs(broker) == {}


def test_draining_broker_that_forgets_everything(
    make: Make, keeper: Keeper, broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    """What was due while it drained is put late, by a new connection."""
    found = keeper.take()
    broker.drain()
    eventually(lambda: is_draining(broker), True)
    for now in (NOON, NOON + 2):
        keeper.now = now
        assert keeper.ticks.handle(found)
        found = keeper.take()
    broker.kill()
    broker.start()
    kept_until = keeper.ticks.kept_until
    keeper = make(now=NOON + 60)

    assert keeper.ticks.check(kept_until)

    assert keeper.is_due_at_once().last_due == NOON
    assert jobs(broker) == {"ready": 1}
    assert keeper.ticks.kept_until == NOON + 60
    assert caplog.text.count("Schedule t/f: its job is put later, as ") == 1


def test_first_start_at_a_draining_broker(
    make: Make, broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = make()
    broker.drain()
    eventually(lambda: is_draining(broker), True)

    for now in (NOON - 60, NOON + 60):
        keeper.now = now
        keeper.ticks.check(NOON - 60 if now < NOON else None)

    assert keeper.all() == []
    assert keeper.ticks.kept_until == NOON - 60
    assert caplog.text.count("Schedule t/f: its job is put later, as ") == 1


def is_draining(broker: Beanstalkd) -> bool:
    with broker.client() as client:
        return str(client.stats()["draining"]) in {"true", "True"}


SECRET = "0123456789abcdef"


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", "unsigned"])
def test_no_tick(
    make: Make, broker: Beanstalkd, body: bytes | str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a stranger puts into the tube has no effect, and is deleted."""
    stranger, keeper = make(), make(secret=SECRET)
    keeper.ticks.check()
    ((good, _),) = keeper.all()
    if isinstance(body, bytes):
        bad = broker.put(body, TUBE, priority=0)
    else:
        bad = put_tick(stranger, NOON - 60)
    found = keeper.connection.reserve(0)
    assert found
    assert found[0] == bad

    assert keeper.ticks.handle(FoundJob(*found))

    assert f"Deleted job {bad} in {TUBE}" in caplog.text
    assert [job_id for job_id, _ in keeper.all()] == [good]
    assert jobs(broker) == {}


def test_signed(make: Make) -> None:
    keeper = make(secret=SECRET)
    keeper.ticks.check()

    tick = keeper.is_due()

    found = keeper.connection.job(tick.last_job)
    (task,) = keeper.ticks._tasks.values()
    assert found
    task.signing.check(found[1])


def test_secret_that_is_new(
    make: Make, keeper: Keeper, broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    """An unsigned tick is replaced long before it is due, and no due time is lost."""
    last_job = keeper.is_due().last_job
    signed = make(secret=SECRET, now=NOON + 60)

    assert signed.ticks.check()

    tick = signed.one()
    (_, body) = signed.connection.job(signed.all()[0][0]) or (None, b"")
    (task,) = signed.ticks._tasks.values()
    task.signing.check(body)
    assert (tick.due, tick.last_due, tick.last_job) == (NOON + HOUR, NOON, last_job)
    assert caplog.text.count("Schedule t/f: its tick is signed anew: it is not") == 1
    assert signed.ticks.check()
    assert signed.one() == tick
    signed.connection.delete_jobs([last_job])
    signed.is_due()
    assert jobs(broker) == {"ready": 1}


@pytest.mark.usefixtures("keeper")
def test_secret_that_is_new_when_it_is_due(make: Make, broker: Beanstalkd) -> None:
    signed = make(secret=SECRET, now=NOON + 60)

    assert signed.ticks.handle(signed.take())

    assert jobs(broker) == {}
    assert signed.is_due_at_once().last_due == NOON
    assert jobs(broker) == {"ready": 1}


@pytest.mark.usefixtures("keeper")
def test_secret_and_schedule_that_are_new(make: Make, broker: Beanstalkd) -> None:
    """What the old code said does not count."""
    signed = make(secret=SECRET, every=7 * HOUR, now=NOON + 60)

    assert signed.ticks.handle(signed.take())

    assert jobs(broker) == {}
    assert signed.one().due == NOON + 3 * HOUR
