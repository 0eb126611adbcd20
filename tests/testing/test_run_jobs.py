"""run_jobs runs the jobs of a private broker in the thread of the test."""

import asyncio
import gc
import logging
import signal
import threading
import weakref

import pytest

from jobqueue import (
    BadJobError,
    BrokerError,
    BrokerUnreachableError,
    BuriedJob,
    JobQueue,
    Retry,
    TimeLimitExceeded,
    UnknownTubeError,
    current_job,
)
from jobqueue.testing import beanstalkd, eager, run_jobs
from tests.helpers.connections import client_of
from tests.helpers.servers import Beanstalkd


def test_order_and_thread(queue: JobQueue) -> None:
    """Jobs run in order, in the calling thread, and so do the jobs that they put."""
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


def test_error_is_raised(queue: JobQueue) -> None:
    """The error of a job is raised, and the jobs after it stay as they were."""

    @queue.task("t")
    def work(n: int) -> float:
        return 1 / n

    with beanstalkd() as url:
        work.put_many([{"n": 1}, {"n": 0}, {"n": 2}])
        with pytest.raises(ZeroDivisionError):
            run_jobs(url)

        with client_of(url) as looking:
            states = [looking.stats_job(n)["state"] for n in (2, 3)]
            assert states == ["buried", "ready"]
            assert looking.stats_job(3)["reserves"] == 0
        assert [job.id for job in run_jobs(url)] == [3]


def test_errors_are_returned(queue: JobQueue) -> None:
    """With reraise=False, errors are returned."""

    @queue.task("t")
    def work(n: int) -> float:
        return 1 / n

    with beanstalkd() as url:
        work.put_many([{"n": 0}, {"n": 1}])
        ran = run_jobs(url, reraise=False)

    assert [type(job.error) for job in ran] == [ZeroDivisionError, type(None)]


def test_hooks_are_told_of_burials(queue: JobQueue) -> None:
    told = []

    @queue.on_buried
    def tell(job: BuriedJob, error: BaseException) -> None:
        told.append((job.func_name, type(error)))

    @queue.task("t")
    def work() -> None:
        raise ZeroDivisionError

    with beanstalkd() as url:
        work.put()
        run_jobs(url, reraise=False)
        work.put()
        with pytest.raises(ZeroDivisionError):
            run_jobs(url)

    assert told == [("work", ZeroDivisionError)] * 2


def test_retries_without_pause(queue: JobQueue) -> None:
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


def test_tubes(queue: JobQueue) -> None:
    """Only jobs run that are ready, and in the given tubes."""

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


def test_as_in_a_worker(queue: JobQueue) -> None:
    """Async tasks, hooks and time limits work as in a worker."""
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


def test_invalid_bodies(queue: JobQueue) -> None:
    """A body that is not a job, or names no task, is an error."""

    @queue.task("t")
    def work() -> None: ...

    with beanstalkd() as url:
        with client_of(url) as putting:
            putting.put(b"garbage")
            putting.put(b'{"func_name": "gone", "tube": "t", "kwargs": {}}')
        ran = run_jobs(url, reraise=False)
        with client_of(url) as putting:
            putting.kick(10)
        with pytest.raises(BadJobError, match="not JSON"):
            run_jobs(url)

    assert [(job.func_name, type(job.error)) for job in ran] == [
        (None, BadJobError),
        ("gone", BadJobError),
    ]


def test_broker_away(queue: JobQueue, broker: Beanstalkd) -> None:
    """A broker that is away is an error at once, and is not waited for."""

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
def test_exceptions_for_the_test(queue: JobQueue, reraise: bool) -> None:
    """Ctrl-C and pytest.fail end the test, and are no failure of the job."""
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
        with client_of(url) as looking:
            looking.delete(1)
        work.put(2)
        with pytest.raises(pytest.fail.Exception):
            run_jobs(url, reraise=reraise)
        assert ran == [1, 2]


def test_exit_is_a_failure(queue: JobQueue) -> None:
    """SystemExit of a task is the failure of its job."""

    @queue.task("t")
    def work() -> None:
        raise SystemExit

    with beanstalkd() as url:
        work.put()
        (ran,) = run_jobs(url, reraise=False)
    assert isinstance(ran.error, SystemExit)


def test_failure_leaves_no_cycle(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """The objects of a failed job are freed at once, without garbage collection."""
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
