"""Several slots in one process, on a real broker."""

import asyncio
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path

import greenstalk
import pytest

from jobqueue import Job, JobQueue, JobStuckError, Worker, current_job
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.worker.running.executor import Executor
from tests.helpers.fake_broker import (
    NOT_FOUND,
    RESERVED,
    SILENCE,
    FakeBroker,
    stats_reply,
)
from tests.helpers.log_records import records
from tests.helpers.paths import ROOT
from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    eventually_true,
    require_beanstalkd,
)
from tests.helpers.worker_thread import with_timings, working


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_threads(broker: Beanstalkd, queue: JobQueue) -> None:
    together = threading.Barrier(8, timeout=20)

    @queue.task("t")
    def work() -> None:
        together.wait()

    work.put_many([{}] * 80)
    Worker(threads=8, burst=True).run()

    assert broker.counts("t") == {}
    assert broker.connections() == 1  # the producer's


def test_200_async_jobs(broker: Beanstalkd, queue: JobQueue) -> None:
    running = 0
    most = 0
    all_run = asyncio.Event()

    @queue.task("t")
    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 200:
            all_run.set()
        await asyncio.wait_for(all_run.wait(), 20)
        running -= 1

    work.put_many([{}] * 200)
    Worker(threads=200, burst=True).run()

    assert most == 200
    assert broker.counts("t") == {}


def test_attempt(broker: Beanstalkd, queue: JobQueue) -> None:
    found: list[tuple[int, int]] = []

    @queue.task("t")
    def work() -> None:
        found.append((current_job().id, current_job().attempt))

    @queue.task("t")
    async def async_work() -> None:
        work()

    with broker.client("t") as client:
        for task in (work, async_work):
            job_id = task.put()
            client.release(client.reserve(0))
            Worker(burst=True).run()
            assert found.pop() == (job_id, 2)


def test_touch_after_the_end(broker: Beanstalkd, queue: JobQueue) -> None:
    jobs: list[Job] = []

    @queue.task("t")
    def work() -> None:
        jobs.append(current_job())

    work.put()
    with working(Worker()):
        eventually(lambda: broker.waiting("t"), 1)
        eventually_true(lambda: jobs)
        with pytest.raises(Exception, match="not reserved for this worker any more"):
            jobs[0].touch()
        work.put()  # the connection is still in use
        eventually(lambda: len(jobs), 2)


def test_broker_away(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """The slots log it once together."""
    ran: list[int] = []

    @queue.task("t")
    def work(n: int) -> None:
        ran.append(n)

    with working(Worker(threads=8)):
        eventually(lambda: broker.waiting("t"), 8)
        broker.kill()
        eventually_true(lambda: "Waiting for the broker" in caplog.text)
        broker.start()
        work.put(1)
        eventually(lambda: ran, [1])
        eventually(lambda: broker.waiting("t"), 8)

    assert caplog.text.count("Waiting for the broker") == 1
    assert caplog.text.count("Connected to the broker") == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_frozen_broker(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    *,
    is_async: bool,
) -> None:
    """It is noticed, also where no thread waits: slots of async tasks have none."""
    ran: list[int] = []

    def sync_work() -> None:
        ran.append(1)

    async def async_work() -> None:
        ran.append(1)

    work = queue.task("t")(async_work if is_async else sync_work)
    worker = Worker(url=f"{broker.url}?timeout=0.2", threads=2)
    with working(with_timings(worker, reserve_timeout=1)):
        eventually(lambda: broker.waiting("t"), 2)
        broker.signal(signal.SIGSTOP)
        eventually_true(lambda: "did not answer in time" in caplog.text)
        broker.signal(signal.SIGCONT)
        work.put()
        eventually(lambda: ran, [1])


def test_touch_not_found(socket_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the job is not touched again."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"reserve-with-timeout", RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply())
    fake.on(b"touch", NOT_FOUND).on(b"delete", NOT_FOUND)
    finish = threading.Event()
    with fake:

        @JobQueue(fake.url).task("t")
        def work() -> None:
            finish.wait(20)

        with working(Worker()):
            eventually_true(lambda: records(caplog, 9))
            assert not finish.wait(1)  # the time for three touches of a ttr of 1
            finish.set()
            eventually(lambda: len(records(caplog, 9)), 2)

    touch, settled = records(caplog, 9)
    assert "its time to run could not be extended" in touch.getMessage()
    assert "(work (tube t))" in touch.getMessage()
    assert "not reserved for this worker any more" in settled.getMessage()
    assert [c.split()[0] for c in fake.received[2:7]] == [
        b"reserve-with-timeout",
        b"stats-job",
        b"touch",
        b"stats-job",
        b"delete",
    ]


def test_touches(broker: Beanstalkd, queue: JobQueue) -> None:
    """Three times in each time to run."""
    finish = threading.Event()

    @queue.task("t")
    def work() -> None:
        finish.wait(20)

    work.options(ttr=3).put()
    with working(Worker()):
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        with broker.client() as client:
            before = client.stats()["cmd-touch"]
            eventually_true(lambda: client.stats()["cmd-touch"] >= before + 4)
            assert client.stats_job(1)["time-left"] >= 1
        finish.set()


def test_quick_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """It costs no touch and no stats-job, but for the first ones of a worker."""

    @queue.task("t")
    def work() -> None: ...

    def asked() -> tuple[int, int]:
        with broker.client() as client:
            stats = client.stats()
        return stats["cmd-touch"], stats["cmd-stats-job"]

    def is_asked_about_a_new_job() -> bool:
        before = asked()
        work.put()
        eventually(lambda: broker.counts("t"), {})
        return asked() != before

    # On a machine that stalls, the quickest job may be as old as one that is touched.
    with working(with_timings(Worker(), heartbeat_interval=60)):
        eventually(is_asked_about_a_new_job, expected=False)
        before = asked()
        work.put_many([{}] * 100)
        eventually(lambda: broker.counts("t"), {})
        assert asked() == before


def test_job_arrives_at_the_stop(broker: Beanstalkd, queue: JobQueue) -> None:
    """A job that is on its way to a slot when it stops runs.

    To leave it would count as a loss, and the third time it would be buried.
    """
    ran = []

    @queue.task("t")
    def work() -> None:
        ran.append(1)

    worker = with_timings(Worker(), arrival_patience=20)
    with working(worker):
        eventually(lambda: broker.waiting("t"), 1)
        worker.stop()
        work.put()
        eventually(lambda: broker.counts("t"), {})

    assert ran == [1]


def test_job_arrives_after_the_stop(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says that the worker waits for it."""
    begun, may_end = threading.Event(), threading.Event()

    @queue.task("t")
    def work() -> None:
        begun.set()
        may_end.wait(20)

    worker = with_timings(Worker(), arrival_patience=20)
    with working(worker):
        eventually(lambda: broker.waiting("t"), 1)
        worker.stop()
        eventually_true(lambda: "Stopping: stop() was called" in caplog.messages)
        work.put()
        assert begun.wait(20)
        worker.stop()
        once_more = "Stopping, as soon as job 1 is finished: stop() was called"
        eventually_true(lambda: once_more in caplog.messages)
        worker.stop()
        may_end.set()

    assert caplog.messages.count(once_more) == 1


def test_job_blocked_by_another(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is not buried, and the log names the job that blocks it."""
    begun, release = threading.Event(), threading.Event()

    @queue.task("t", time_limit=2)
    async def innocent() -> None:
        begun.set()
        await asyncio.sleep(20)

    @queue.task("t")
    async def blocker() -> None:
        release.wait(20)

    innocent.put()
    worker = with_timings(Worker(threads=2), time_limit_grace=0.1)

    def run() -> None:
        with pytest.raises(JobStuckError):
            worker.run()

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(20)
    blocker.put()
    try:
        eventually_true(lambda: "innocent (tube t) could not be" in caplog.text)
        eventually_true(lambda: "in blocker" in caplog.text)
        eventually_true(lambda: "Stopping" in caplog.text)
        assert broker.counts("t") == {"reserved": 2}
    finally:
        release.set()
        thread.join(20)
    assert not thread.is_alive()


def test_stuck_job(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The worker stops when the other jobs are done, however long they take."""
    release, slow_may_end = threading.Event(), threading.Event()
    ended: list[str] = []

    @queue.task("t", time_limit=0.1)
    def stuck() -> None:
        release.wait(20)  # one call into C: nothing can be raised inside of it

    @queue.task("t")
    def slow() -> None:
        slow_may_end.wait(20)
        ended.append("slow")

    @queue.task("t")
    def other() -> None:
        ended.append("other")

    def run() -> None:
        with pytest.raises(JobStuckError, match=f"job {stuck_id} does not stop"):
            worker.run()
        ended.append("run")

    stuck_id = stuck.options(priority=9).put()
    slow.put()
    worker = Worker(threads=2, shutdown_timeout=0.1)
    worker = with_timings(worker, time_limit_grace=0.1)
    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: broker.stats_job(stuck_id)["state"], "buried")
    assert broker.stats_job(stuck_id)["pri"] == 9
    eventually_true(lambda: worker.manager.status_board.state.name == "LEAVING")
    other.put()
    thread.join(0.5)
    assert thread.is_alive()
    assert worker.manager.status_board.count() == 1  # another process may start
    slow_may_end.set()
    thread.join()
    release.set()

    assert ended == ["slow", "run"]
    assert broker.counts("t") == {"ready": 1, "buried": 1}
    (record,) = (r for r in records(caplog, stuck_id) if r.levelno == logging.ERROR)
    assert "release.wait(20)" in record.getMessage()
    assert record.__dict__["func_name"] == "stuck"


@pytest.mark.parametrize(
    ("kind", "method", "left"),
    [
        (Executor, "run", {"ready": 1}),
        (ConsumerConnection, "read_confirmation", {}),  # of the job's end
    ],
)
def test_fault_of_the_worker(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kind: type,
    method: str,
    left: dict[str, int],
) -> None:
    """The worker stops, no job is lost, and it is not called a lost broker."""

    @queue.task("t")
    def work() -> None: ...

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(kind, method, broken)
    work.put()

    with pytest.raises(ZeroDivisionError):
        Worker(threads=2).run()
    eventually(lambda: broker.counts("t"), left)
    assert "A slot of the worker has failed" in caplog.text
    assert "Waiting for the broker" not in caplog.text


def test_max_jobs(broker: Beanstalkd, queue: JobQueue) -> None:
    """The worker stops, and reserves no job that it does not run."""

    @queue.task("t")
    def work() -> None: ...

    work.put_many([{}] * 10)
    Worker(max_jobs=4).run()

    assert broker.counts("t") == {"ready": 6}
    with broker.client("t") as client:
        assert client.stats_job(client.peek_ready())["reserves"] == 0


def test_deleted_job_of_a_lost_connection(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """The heartbeat notices, and a warning says that the job may run twice."""
    started, finish = threading.Event(), threading.Event()

    @queue.task("t")
    def work() -> None:
        started.set()
        finish.wait(20)

    work.put()
    with working(Worker()):
        assert started.wait(20)
        broker.kill()
        eventually_true(lambda: "could not be extended" in caplog.text)
        broker.start()
        finish.set()
        eventually_true(lambda: "the broker was lost before it could be" in caplog.text)
    with broker.client("t") as client, pytest.raises(greenstalk.NotFoundError):
        client.peek_ready()


@pytest.mark.thorough
def test_benchmark_runs() -> None:
    require_beanstalkd()
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "tests/benchmarks/worker.py",
            *("--jobs", "20", "--rounds", "2", "--seconds", "0.1"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.count("worker, 1 x 1 / bare socket: ") == 2
    assert done.stdout.count("2 processes / 1 process: ") == 2
    assert done.stdout.count("% of the possible") == 2
    assert "s of CPU in 0.1 s" in done.stdout
