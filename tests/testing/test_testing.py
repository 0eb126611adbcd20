"""What jobqueue.testing gives to those who test their own tasks."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import greenstalk
import pytest

from jobqueue import (
    ArgumentError,
    BadJobError,
    BrokerError,
    BrokerUnreachableError,
    JobQueue,
    JobTooBigError,
    PutManyError,
    Retry,
    TimeLimitExceeded,
    UnknownTubeError,
    Worker,
    current_job,
)
from jobqueue.broker.address import Address
from jobqueue.testing import beanstalkd, eager, run_jobs
from tests.helpers.servers import Beanstalkd, eventually, require_beanstalkd


@pytest.fixture
def queue(socket_folder: Path) -> JobQueue:
    """Return a queue whose broker is not there."""
    return JobQueue(f"unix://{socket_folder}/nowhere")


def client(url: str) -> "greenstalk.Client[bytes]":
    target = Address.parse(url).target
    return greenstalk.Client(target, encoding=None, use="t", watch="t")


def test_puts_go_to_the_private_broker_whatever_the_queues_own(queue: JobQueue) -> None:
    @queue.task("t")
    def work(n: int) -> None: ...

    with beanstalkd() as url:
        assert work.put(1) == 1
        assert work.put_many([{"n": 2}]) == [2]
        assert asyncio.run(work.aput(3)) == 3
        with client(url) as looking:
            assert looking.stats_tube("t")["current-jobs-ready"] == 3
    with pytest.raises(BrokerUnreachableError):
        work.put(1)


def test_each_private_broker_is_empty_and_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @JobQueue.task("t")
    def work() -> None: ...

    monkeypatch.setenv("BEANSTALKD_URL", "unix:///nowhere")
    for _ in range(2):
        with beanstalkd() as url:
            assert os.environ["BEANSTALKD_URL"] == url
            assert work.put() == 1
        assert os.environ["BEANSTALKD_URL"] == "unix:///nowhere"

    monkeypatch.delenv("BEANSTALKD_URL")
    with beanstalkd():
        pass
    assert "BEANSTALKD_URL" not in os.environ


def test_without_beanstalkd_the_development_server_takes_its_place(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = []

    @queue.task("t")
    def work() -> None:
        ran.append(1)

    monkeypatch.setenv("PATH", str(tmp_path))
    with beanstalkd() as url:
        work.put()
        with client(url) as looking:
            assert "jobqueue" in str(looking.stats()["version"])
        run_jobs(url)

    assert ran == [1]


def test_a_beanstalkd_that_does_not_start_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "beanstalkd"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BrokerUnreachableError, match=f"{program}.* did not start"):
        contextlib.ExitStack().enter_context(beanstalkd())


def test_jobs_run_in_order_and_in_this_thread_and_so_do_those_that_they_put(
    queue: JobQueue,
) -> None:
    threads = []

    @queue.task("t")
    def work(n: int) -> None:
        threads.append(threading.get_ident())
        if n:
            work.put(n - 1)

    with beanstalkd() as url:
        work.put(2)
        work.options(priority=0).put(0)
        ran = run_jobs(url)
        assert run_jobs(url) == []

    assert [(job.id, job.tube, job.func_name, job.kwargs) for job in ran] == [
        (2, "t", "work", {"n": 0}),
        (1, "t", "work", {"n": 2}),
        (3, "t", "work", {"n": 1}),
        (4, "t", "work", {"n": 0}),
    ]
    assert {job.error for job in ran} == {None}
    assert set(threads) == {threading.get_ident()}


def test_an_error_is_raised_and_the_jobs_after_it_stay_as_they_were(
    queue: JobQueue,
) -> None:
    @queue.task("t")
    def work(n: int) -> float:
        return 1 / n

    with beanstalkd() as url:
        work.put_many([{"n": 1}, {"n": 0}, {"n": 2}])
        with pytest.raises(ZeroDivisionError):
            run_jobs(url)

        with client(url) as looking:
            states = [looking.stats_job(n)["state"] for n in (2, 3)]
            assert states == ["buried", "ready"]
            assert looking.stats_job(3)["reserves"] == 0
        assert [job.id for job in run_jobs(url)] == [3]


def test_errors_are_returned_if_they_are_not_to_be_raised(queue: JobQueue) -> None:
    @queue.task("t")
    def work(n: int) -> float:
        return 1 / n

    with beanstalkd() as url:
        work.put_many([{"n": 0}, {"n": 1}])
        ran = run_jobs(url, reraise=False)

    assert [type(job.error) for job in ran] == [ZeroDivisionError, type(None)]


def test_retries_are_run_without_their_pause(queue: JobQueue) -> None:
    attempts = []

    @queue.task("t", retries=2, backoff=3600)
    def work() -> None:
        attempts.append(current_job().attempt)
        if len(attempts) == 1:
            raise ValueError
        raise Retry(delay=3600)

    with beanstalkd() as url:
        work.put()
        with pytest.raises(Retry):
            run_jobs(url)
        assert attempts == [1, 2, 3]

        attempts.clear()
        work.put()
        ran = run_jobs(url, reraise=False)
    assert [type(job.error) for job in ran] == [ValueError, Retry, Retry]


def test_only_ready_jobs_of_the_given_tubes_run(queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None: ...

    @queue.task("other")
    def other() -> None: ...

    with beanstalkd() as url:
        work.put()
        other.put()
        other.options(delay=60).put()

        assert [job.tube for job in run_jobs(url, ["t"])] == ["t"]
        assert [job.tube for job in run_jobs(url)] == ["other"]
        with pytest.raises(UnknownTubeError):
            run_jobs(url, ["nowhere"])


def test_async_tasks_hooks_and_time_limits_are_as_in_a_worker(queue: JobQueue) -> None:
    seen: list[object] = []

    @queue.around
    def hook(job):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        seen.append(job.func_name)
        yield

    @queue.task("t", time_limit=0.05)
    async def work() -> None:
        seen.append(current_job().kwargs)
        await asyncio.sleep(60)

    with beanstalkd() as url:
        work.put()
        with pytest.raises(TimeLimitExceeded):
            run_jobs(url)
    with eager(), pytest.raises(TimeLimitExceeded):
        work.put()
    assert seen == ["work", {}] * 2


def test_a_body_that_is_no_job_is_an_error_too(queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None: ...

    with beanstalkd() as url:
        with client(url) as putting:
            putting.put(b"garbage")
            putting.put(b'{"func_name": "gone", "tube": "t", "kwargs": {}}')
        ran = run_jobs(url, reraise=False)
        with client(url) as putting:
            putting.kick(10)
        with pytest.raises(BadJobError, match="not JSON"):
            run_jobs(url)

    assert [(job.func_name, type(job.error)) for job in ran] == [
        (None, BadJobError),
        ("gone", BadJobError),
    ]


def test_a_broker_that_is_away_is_an_error_and_not_waited_for(
    queue: JobQueue, broker: Beanstalkd
) -> None:
    @queue.task("t")
    def work() -> None:
        broker.signal(signal.SIGKILL)

    with broker.client("t") as putting:
        putting.put(b'{"func_name": "work", "tube": "t", "kwargs": {}}')
    with pytest.raises(BrokerError):
        run_jobs(broker.url)
    with pytest.raises(BrokerUnreachableError):
        run_jobs("unix:///nowhere")


@pytest.mark.parametrize("reraise", [True, False])
def test_what_is_meant_for_the_test_is_no_failure_of_the_job(
    queue: JobQueue, reraise: bool
) -> None:
    ran = []

    @queue.task("t", retries=3)
    def work(n: int) -> None:
        ran.append(n)
        if n == 1:
            signal.raise_signal(signal.SIGINT)  # Ctrl-C
        pytest.fail("no more")

    with beanstalkd() as url:
        work.put(1)
        with pytest.raises(KeyboardInterrupt):
            run_jobs(url, reraise=reraise)
        assert ran == [1]
        with client(url) as looking:
            looking.delete(1)
        work.put(2)
        with pytest.raises(pytest.fail.Exception):
            run_jobs(url, reraise=reraise)
        assert ran == [1, 2]


def test_an_exit_of_the_task_is_the_jobs_failure(queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None:
        raise SystemExit

    with beanstalkd() as url:
        work.put()
        (ran,) = run_jobs(url, reraise=False)
    assert isinstance(ran.error, SystemExit)


def test_workers_of_the_process_take_jobs_from_the_private_broker(
    queue: JobQueue,
) -> None:
    ran = []

    @queue.task("t")
    def work() -> None:
        ran.append(1)

    with beanstalkd():
        work.put()
        with eager():  # it has no broker, and changes nothing for workers
            Worker(burst=True).run()
    assert ran == [1]


def test_blocks_may_end_in_another_order_than_they_began(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    @queue.task("t")
    def work() -> None: ...

    monkeypatch.setenv("BEANSTALKD_URL", "unix:///nowhere")
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    first.enter_context(beanstalkd())
    url = second.enter_context(beanstalkd())
    first.close()

    assert work.put() == 1
    assert os.environ["BEANSTALKD_URL"] == url
    second.close()
    assert os.environ["BEANSTALKD_URL"] == "unix:///nowhere"
    with pytest.raises(BrokerUnreachableError):
        work.put()


def test_the_private_broker_ends_with_the_process_however_that_ends() -> None:
    require_beanstalkd()
    script = (
        "import time\n"
        "from jobqueue.testing import beanstalkd\n"
        "with beanstalkd() as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        path = process.stdout.readline().strip().removeprefix("unix://")
        process.kill()

    def is_answered() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(path) == 0

    eventually(is_answered, expected=False)


def test_a_failed_jobs_objects_are_gone_at_once(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "jobqueue.worker")  # it would keep the error

    class Large:
        pass

    seen: list[weakref.ref[Large]] = []

    @queue.task("t")
    def work() -> None:
        large = Large()
        seen.append(weakref.ref(large))
        raise KeyError

    gc.disable()
    try:
        with eager(), pytest.raises(KeyError):
            work.put()
        with beanstalkd() as url:
            work.put()
            with pytest.raises(KeyError):
                run_jobs(url)
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


def test_eager_threads_of_a_task_that_blocks_its_loop_may_put_async_tasks(
    queue: JobQueue,
) -> None:
    ran = []

    @queue.task("t")
    async def leaf(n: int) -> None:
        await asyncio.sleep(0)
        ran.append(n)

    @queue.task("t")
    async def work() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(leaf.put, range(3)))

    with eager():
        work.put()

    assert sorted(ran) == [0, 1, 2]


def test_an_eager_put_runs_the_task_at_once_with_what_comes_out_of_json(
    queue: JobQueue,
) -> None:
    ran: list[object] = []

    @queue.task("t", delay=60, retries=3)
    def work(value: object) -> None:
        ran.append(value)
        ran.append((current_job().id, current_job().attempt))

    with eager():
        assert work.put((1, 2)) == 1
        assert ran == [[1, 2], (1, 1)]
        assert work.put_many([{"value": {1: None}}, {"value": "b"}]) == [2, 3]
        assert asyncio.run(work.aput("c")) == 4
    assert ran[2:] == [{"1": None}, (2, 1), "b", (3, 1), "c", (4, 1)]

    with pytest.raises(BrokerUnreachableError):
        work.put(1)


def test_an_eager_put_raises_what_the_task_raises(queue: JobQueue) -> None:
    runs = []

    @queue.task("t", retries=3)
    def work(n: int) -> float:
        runs.append(n)
        return 1 / n

    with eager():
        with pytest.raises(ZeroDivisionError):
            work.put(0)
        with pytest.raises(ArgumentError):
            work.put()  # type: ignore[call-arg]
        with pytest.raises(ZeroDivisionError):
            work.put_many([{"n": 1}, {"n": 0}, {"n": 2}])
        with pytest.raises(PutManyError, match="item 1 was not put") as caught:
            work.put_many([{"n": 1}, {"m": 1}, {"n": 2}])
    assert isinstance(caught.value.__cause__, ArgumentError)
    assert runs == [0, 1, 0, 1]


def test_an_eager_job_is_as_large_as_beanstalkd_takes_by_default(
    queue: JobQueue,
) -> None:
    @queue.task("t")
    def work(text: str) -> None: ...

    overhead = len('{"func_name":"work","tube":"t","kwargs":{"text":""}}')
    with eager():
        work.put("x" * (65_535 - overhead))
        with pytest.raises(JobTooBigError, match="65536 bytes"):
            work.put("x" * (65_536 - overhead))


def test_eager_async_tasks_may_put_others(queue: JobQueue) -> None:
    ran: list[int] = []

    @queue.task("t")
    async def work(n: int) -> None:
        await asyncio.sleep(0)
        if n % 2:
            await work.aput(n - 1)
        elif n:
            work.put(n - 1)
        ran.append(n)

    with eager():
        work.put(4)

    assert ran == [0, 1, 2, 3, 4]


def test_the_innermost_block_counts(queue: JobQueue) -> None:
    ran = []

    @queue.task("t")
    def work(n: int) -> None:
        ran.append(n)

    with beanstalkd() as url:
        work.put(1)
        with eager():
            work.put(2)
        work.put(3)
        run_jobs(url)

    assert ran == [2, 1, 3]


PROJECT = """
from jobqueue import JobQueue

queue = JobQueue("beanstalkd://broker.example.org")
sent = []

@queue.task("emails")
def send(to):
    sent.append(to)
"""

TESTS = """
import pytest
from project import send, sent

def test_with_a_broker(beanstalkd, run_jobs):
    sent.clear()
    assert send.put("ada") == 1
    assert [job.func_name for job in run_jobs()] == ["send"]
    assert run_jobs(["emails"], reraise=False) == []
    assert sent == ["ada"]

def test_eagerly(eager):
    sent.clear()
    send.put("ada")
    assert sent == ["ada"]
"""


def test_pytest_finds_the_fixtures_by_itself(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "test_project.py").write_text(TESTS)

    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:randomly"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert "2 passed" in done.stdout, done.stdout


def test_testing_imports_no_unittest() -> None:
    script = (
        "import sys, jobqueue.testing;"
        "print([name for name in sys.modules if name.startswith('unittest')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_a_pytest_that_needs_no_fixture_imports_little() -> None:
    script = (
        "import sys, jobqueue.pytest_plugin;"
        "print({'asyncio', 'jobqueue.testing', 'unittest'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "set()\n"
