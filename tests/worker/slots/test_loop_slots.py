"""Slots on the event loop: a worker whose tasks are all async takes no thread a job."""

import asyncio
import functools
import logging
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from jobqueue import Job, JobQueue, Retry, Worker, current_job
from tests.helpers.notes import burials
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_thread import slot_threads, working


async def nothing() -> None: ...


class Gate:
    """Jobs wait here, on their loop, until it is opened from a test's thread."""

    def __init__(self) -> None:
        self.inside = 0
        self._is_open = False

    async def passed(self) -> None:
        self.inside += 1
        try:
            while not self._is_open:  # noqa: ASYNC110 - another thread opens it
                await asyncio.sleep(0.01)
        finally:
            self.inside -= 1

    def open(self) -> None:
        self._is_open = True


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def test_no_thread(broker: Beanstalkd, queue: JobQueue, gate: Gate) -> None:
    """Neither a slot that waits for a job has one, nor one whose job runs."""

    @queue.task("t")
    async def work() -> None:
        await gate.passed()

    with working(Worker(threads=20)):
        eventually(lambda: broker.waiting("t"), 20)
        eventually(slot_threads, 0)
        work.put_many([{}] * 20)
        eventually(lambda: gate.inside, 20)
        eventually(slot_threads, 0)
        gate.open()
        eventually(lambda: broker.counts("t"), {})


@pytest.mark.parametrize("kind", ["sync", "hook", "decorator", "max_age"])
def test_thread(broker: Beanstalkd, queue: JobQueue, kind: str) -> None:
    """Each slot has one if there may be something to wait for before a coroutine is."""
    ran: list[str] = []

    @queue.task("t")
    async def work() -> None:
        ran.append("work")

    if kind == "sync":

        @queue.task("t")
        def sync_work() -> None: ...

    elif kind == "hook":

        @queue.around
        def hook(_job: Job) -> Iterator[None]:
            yield

    elif kind == "max_age":

        @queue.task("t", max_age=60)
        async def aging() -> None: ...

    else:

        @queue.task("t")
        @functools.wraps(nothing)
        def later() -> object:
            return nothing()

    with working(Worker(threads=2)):
        eventually(lambda: broker.waiting("t"), 2)
        assert slot_threads() == 2
        work.put()
        eventually(lambda: ran, ["work"])


def test_task_decorated_later(broker: Beanstalkd, queue: JobQueue, gate: Gate) -> None:
    """A job of a sync one blocks no other."""
    ran: list[bool] = []

    @queue.task("t")
    async def work() -> None:
        await gate.passed()

    with working(Worker(threads=2)):
        eventually(lambda: broker.waiting("t"), 2)

        @queue.task("t")
        def sync_work() -> None:
            deadline = time.monotonic() + 20
            while not gate.inside and time.monotonic() < deadline:
                time.sleep(0.01)
            ran.append(gate.inside == 1)
            gate.open()

        sync_work.put()
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        work.put()
        eventually(lambda: broker.counts("t"), {})
    assert ran == [True]


def test_failures(broker: Beanstalkd, queue: JobQueue) -> None:
    """They end as those of sync tasks do, and cost no job beside them."""
    attempts: list[int] = []
    ran: list[int] = []

    @queue.task("t", retries=1, backoff=0)
    async def fails() -> None:
        attempts.append(current_job().attempt)
        raise ValueError("no")

    @queue.task("t", retries=1)
    async def asks_for_a_retry() -> None:
        if current_job().attempt == 1:
            raise Retry(delay=0)
        ran.append(0)

    @queue.task("t")
    async def work(n: int) -> None:
        ran.append(n)

    fails.put()
    asks_for_a_retry.put()
    work.put_many({"n": n} for n in range(1, 6))
    broker.put(b"nonsense")
    Worker(threads=3, burst=True).run()

    assert attempts == [1, 2]
    assert sorted(ran) == [0, 1, 2, 3, 4, 5]
    assert broker.counts("t") == {"buried": 2}
    assert [note.func_name for note in burials(broker)].count("fails") == 1


def test_threads_of_a_hook(broker: Beanstalkd, queue: JobQueue) -> None:
    """They are no daemons, though the slot's thread was started by one."""
    are_daemons: list[bool] = []

    @queue.on_buried
    def hook(*_: object) -> None:
        are_daemons.append(threading.Thread().daemon)

    @queue.task("t")
    async def fails() -> None:
        raise ValueError

    fails.put()
    Worker(burst=True).run()

    assert are_daemons == [False]
    assert broker.counts("t") == {"buried": 1}


def test_time_limit(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the job ends that has reached it."""
    ran: list[str] = []

    @queue.task("t", time_limit=0.1)
    async def slow() -> None:
        await asyncio.sleep(60)

    @queue.task("t")
    async def work() -> None:
        await asyncio.sleep(0.3)
        ran.append("work")

    slow.put()
    work.put()
    Worker(threads=2, burst=True).run()

    assert ran == ["work"]
    assert broker.counts("t") == {"buried": 1}
    assert "it ran for longer than 0.1 s" in caplog.text


def test_long_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """It is touched by the heartbeat and by itself, and then settled."""
    attempts: list[int] = []

    @queue.task("t", ttr=1)
    async def work() -> None:
        attempts.append(current_job().attempt)
        for _ in range(5):
            await asyncio.sleep(0.4)
            current_job().touch()

    work.put()
    Worker(threads=2, burst=True).run()

    assert attempts == [1]
    assert broker.counts("t") == {}


@pytest.mark.parametrize("size", [10_000, 60_000])
def test_long_bodies(broker: Beanstalkd, queue: JobQueue, size: int) -> None:
    """A reply that arrives in pieces is read whole."""
    sizes: list[int] = []

    @queue.task("t")
    async def work(text: str) -> None:
        sizes.append(len(text))

    work.put_many([{"text": "x" * size}] * 20)
    Worker(threads=3, burst=True).run()

    assert sizes == [size] * 20
    assert broker.counts("t") == {}


def test_max_jobs(broker: Beanstalkd, queue: JobQueue) -> None:
    ran: list[int] = []

    @queue.task("t")
    async def work() -> None:
        ran.append(1)

    work.put_many([{}] * 5)
    Worker(threads=1, max_jobs=3).run()

    assert len(ran) == 3
    assert broker.counts("t") == {"ready": 2}


def test_quiet(broker: Beanstalkd, queue: JobQueue, gate: Gate) -> None:
    """The running job ends, and no other begins."""

    @queue.task("t")
    async def work() -> None:
        await gate.passed()

    work.put()
    worker = Worker(threads=3)
    with working(worker):
        eventually(lambda: gate.inside, 1)
        worker.quiet()
        eventually(lambda: broker.waiting("t"), 0)
        work.put()
        gate.open()
        eventually(lambda: broker.counts("t"), {"ready": 1})


def test_context(broker: Beanstalkd, queue: JobQueue) -> None:
    """No job sees what the one before it has set, nor what that has disabled."""
    tenant: ContextVar[str | None] = ContextVar("tenant", default=None)
    seen: list[tuple[int, str | None, int]] = []

    @queue.task("t")
    async def work() -> None:
        disabled = logging.root.manager.disable
        seen.append((current_job().id, tenant.get(), disabled))
        tenant.set("ada")
        await asyncio.sleep(0)
        logging.disable(logging.CRITICAL)

    ids = [work.put() for _ in range(3)]
    Worker(threads=1, burst=True).run()

    assert seen == [(job_id, None, logging.NOTSET) for job_id in ids]
    assert broker.counts("t") == {}


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
def test_exits(broker: Beanstalkd, queue: JobQueue, error: type[BaseException]) -> None:
    """One that a task raises is a failure like any other."""
    ran: list[int] = []

    @queue.task("t")
    async def exits() -> None:
        raise error

    @queue.task("t")
    async def work() -> None:
        ran.append(1)

    exits.put()
    work.put()
    Worker(threads=1, burst=True).run()

    assert ran == [1]
    assert broker.counts("t") == {"buried": 1}


def test_all_tasks_cancelled(broker: Beanstalkd, queue: JobQueue, gate: Gate) -> None:
    """Each job has failed, and the slots go on."""
    ran: list[int] = []

    @queue.task("t")
    async def waits() -> None:
        await gate.passed()

    @queue.task("t")
    async def cancels() -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    @queue.task("t")
    async def work() -> None:
        ran.append(1)

    waits.put_many([{}] * 3)
    with working(Worker(threads=4)):
        eventually(lambda: gate.inside, 3)
        cancels.put()
        eventually_true(lambda: broker.counts("t").get("buried", 0) >= 3)
        work.put_many([{}] * 8)
        eventually(lambda: len(ran), 8)
