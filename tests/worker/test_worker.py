"""A worker in a thread: its tubes, its broker, and how it stops."""

import threading
from typing import Any

import pytest

from jobqueue import (
    BrokerURLError,
    JobQueue,
    JobQueueError,
    OptionError,
    TubeNameError,
    UnknownTubeError,
    Worker,
)
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_thread import working


def test_only_named_tubes(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def one() -> None: ...

    @queue.task("u")
    def two() -> None: ...

    one.put()
    two.put()
    broker.put(b"", priority=0)
    with broker.client() as client:
        client.put(b"in the default tube")

    Worker(["u"], burst=True).run()

    assert broker.counts("t") == {"ready": 2}
    assert broker.counts("u") == {}
    assert broker.counts("default") == {"ready": 1}


def test_stop_when_idle(broker: Beanstalkd, queue: JobQueue) -> None:
    """At once; and a second stop does no harm."""

    @queue.task("t")
    def work() -> None: ...

    worker = Worker(["t"])
    with working(worker):
        eventually(lambda: broker.waiting("t"), 1)
        worker.stop()
    worker.stop()

    assert broker.connections() == 0


def test_stop_when_busy(broker: Beanstalkd, queue: JobQueue) -> None:
    """The running job finishes, and no other is reserved."""
    started, finish = threading.Event(), threading.Event()
    ran = []

    @queue.task("t")
    def work(n: int) -> None:
        started.set()
        finish.wait(20)
        ran.append(n)

    work.put(1)
    work.put(2)
    worker = Worker()
    with working(worker):
        assert started.wait(20)
        worker.stop()
        finish.set()

    assert ran == [1]
    assert broker.counts("t") == {"ready": 1}


def test_stopping_often(broker: Beanstalkd, queue: JobQueue) -> None:
    """No job is lost or runs twice."""
    ran: list[int] = []
    total = 3000

    @queue.task("t")
    def work(n: int) -> None:
        ran.append(n)

    for n in range(total):
        work.put(n)
    while len(ran) < total:
        worker = Worker()
        done_before = len(ran)
        with working(worker):
            eventually_true(lambda: len(ran) > done_before)  # noqa: B023

    assert sorted(ran) == list(range(total))
    assert broker.counts("t") == {}


def test_runs_once(queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None: ...

    worker = Worker(burst=True)
    worker.run()

    with pytest.raises(JobQueueError, match="runs once"):
        worker.run()


def test_url_of_the_queue(queue: JobQueue, broker: Beanstalkd) -> None:
    """A worker connects to the broker of its tasks' queue."""

    @queue.task("t")
    def work() -> None: ...

    assert str(Worker(["t"]).address) == broker.url
    assert str(Worker(["t"], url="beanstalkd://h").address) == "beanstalkd://h:11300"

    @JobQueue("beanstalkd://elsewhere").task("u")
    def other() -> None: ...

    assert str(Worker(["u"]).address) == "beanstalkd://elsewhere:11300"
    with pytest.raises(OptionError, match="different brokers"):
        Worker()


def test_wrong_use(queue: JobQueue) -> None:
    with pytest.raises(UnknownTubeError, match="no task is registered"):
        Worker()

    @queue.task("t")
    def work() -> None: ...

    with pytest.raises(UnknownTubeError, match=r"tube 'u' \(known tubes: t\)"):
        Worker(["t", "u"])
    with pytest.raises(TubeNameError):
        Worker(["a b"])
    with pytest.raises(BrokerURLError):
        Worker(["t"], url="h")
    wrong: Any = "t"
    with pytest.raises(OptionError, match=r"\['t'\]"):
        Worker(wrong)
    for name in ("threads", "max_jobs"):
        for wrong in (0, -1, 1.5, "2", True):
            with pytest.raises(OptionError, match=f"{name} has to be a whole number"):
                Worker(["t"], **{name: wrong})
    for wrong in (0, -1, "2", True, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="time_limit has to be"):
            Worker(["t"], time_limit=wrong)
        with pytest.raises(OptionError, match="time_limit has to be"):
            queue.task("t", time_limit=wrong)
    wrong = [1]
    with pytest.raises(TubeNameError):
        Worker(wrong)
    for wrong in (-1, 1e10, float("nan"), "30"):
        with pytest.raises(OptionError, match="shutdown_timeout"):
            Worker(["t"], shutdown_timeout=wrong)
