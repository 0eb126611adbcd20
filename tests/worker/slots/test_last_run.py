"""Jobs whose worker was lost: their last run, and what is given back."""

import logging
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobqueue import JobQueue, Worker
from tests.helpers.processes import put, start
from tests.helpers.servers import Beanstalkd, eventually, eventually_true, oversleep
from tests.helpers.worker_process import copy_app
from tests.helpers.worker_thread import working


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lose(broker: Beanstalkd, times: int, *, jobs: int = 1) -> None:
    """Reserve jobs in a worker that is lost before it begins to run them."""
    for _ in range(times):
        with ExitStack() as stack:
            for _ in range(jobs):
                stack.enter_context(broker.client("t")).reserve(5)
            oversleep(broker, seconds=1.2)  # else the broker may miss the end


def freeze(broker: Beanstalkd, times: int) -> None:
    """Reserve a job in slots of a frozen worker: each gets it after the ttr of 1 s."""
    with ExitStack() as stack:
        for _ in range(times):
            stack.enter_context(broker.client("t")).reserve(5)
            oversleep(broker, seconds=1.2)  # else the broker may miss the end


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("times", [2, 3, 9])
@pytest.mark.thorough
def test_job_that_never_began(
    broker: Beanstalkd, queue: JobQueue, times: int, retries: int
) -> None:
    """Counts alone bury no job: it has its run, and is deleted."""
    ran = []

    @queue.task("t", retries=retries)
    def work() -> None:
        ran.append(1)

    work.put()
    lose(broker, times)
    with working(Worker()):
        eventually(lambda: broker.counts("t"), {})

    assert ran == [1]


def test_frozen_slots(broker: Beanstalkd, queue: JobQueue) -> None:
    """A reservation that nobody took up is no run that killed its worker."""
    ran = []

    @queue.task("t", ttr=1, max_lost=2)
    def work() -> None:
        ran.append(1)

    work.put()
    freeze(broker, 2)
    with working(Worker()):
        eventually(lambda: broker.counts("t"), {})

    assert ran == [1]


@pytest.mark.parametrize(
    ("times", "retries", "runs"),
    [
        (1, 0, 1),
        (2, 0, 1),
        (2, 1, 2),  # it is released once
        (3, 1, 1),  # it can't be released any more
        (1, 1, 2),
    ],
)
def test_last_run_fails(  # noqa: PLR0917
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    times: int,
    retries: int,
    runs: int,
) -> None:
    """It ends as any other failure, retries included, unless it was buried first."""
    ran = []

    @queue.task("t", retries=retries, backoff=0)
    def work() -> None:
        ran.append(1)
        raise ValueError("it has failed")

    work.put()
    lose(broker, times)
    with working(Worker()):
        eventually(lambda: len(ran), runs)
        eventually(lambda: caplog.text.count("ValueError: it has failed") >= runs, True)

    assert broker.counts("t") == {"buried": 1}
    assert len(ran) == runs


def test_max_lost_1(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that must not run again does not, as it may have begun."""
    ran = []

    @queue.task("t", max_lost=1)
    def work() -> None:
        ran.append(1)

    work.put()
    lose(broker, 1)
    with working(Worker()):
        eventually(lambda: broker.counts("t"), {"buried": 1})

    assert ran == []
    assert "its worker was lost once while it had the job" in caplog.text


def test_waiting_costs_no_retry(broker: Beanstalkd, queue: JobQueue) -> None:
    """A job with retries waits in its slot for the last chance of another."""
    begun, may_end = threading.Event(), threading.Event()
    ran = []

    @queue.task("t", retries=3)
    def work(n: int) -> None:
        ran.append(n)
        begun.set()
        may_end.wait(20)

    work.put_many([{"n": n} for n in range(2)])
    lose(broker, 2, jobs=2)
    with working(Worker(threads=2)):
        assert begun.wait(20)
        eventually(lambda: broker.counts("t"), {"reserved": 2})
        assert len(ran) == 1
        may_end.set()
        eventually(lambda: broker.counts("t"), {})
        with broker.client() as client:
            assert client.stats()["cmd-release"] == 0

    assert sorted(ran) == [0, 1]


def test_stop_while_waiting(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that still waits is given back."""
    begun, may_end = threading.Event(), threading.Event()

    @queue.task("t", retries=3)
    def work(n: int) -> None:  # noqa: ARG001
        begun.set()
        may_end.wait(20)

    work.put_many([{"n": n} for n in range(2)])
    lose(broker, 2, jobs=2)
    worker = Worker(threads=2)
    with working(worker):
        assert begun.wait(20)
        eventually(lambda: broker.counts("t"), {"reserved": 2})
        worker.stop()
        eventually_true(lambda: "put back for a moment" in caplog.text)
        may_end.set()

    with broker.client() as client:
        assert client.stats()["cmd-release"] == 1
    assert sum(broker.counts("t").values()) == 1


@pytest.mark.parametrize("shape", ["1x1", "2x4"])
def test_job_that_is_abandoned(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    """A job given up at a stop is given back, which is no loss."""
    copy_app("processes", tmp_path)
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    put(tmp_path, "work.options(priority=7).put(seconds=600)")
    for _ in range(4):
        with start(tmp_path, shape, "--shutdown-timeout=0.5") as process:
            process.says("begins")
            with broker.client() as client:
                touches = client.stats()["cmd-touch"]
                eventually_true(lambda: client.stats()["cmd-touch"] > touches)  # noqa: B023
            process.process.terminate()
            assert process.exit_code() == 0
            eventually(lambda: broker.counts("t"), {"ready": 1})

    stats = broker.stats_job(1)
    assert (stats["reserves"], stats["releases"], stats["pri"]) == (4, 4, 7)
