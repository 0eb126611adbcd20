"""Functions that are called when a job is buried, or deleted for its kicks."""

import logging
import threading
import time

import pytest

from jobqueue import BuriedJob, JobQueue, JobStuckError, TaskDefinitionError, Worker
from jobqueue.job_queue import JobQueue as PlainQueue
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_thread import with_timings, working


class Told:
    """What a hook was told."""

    def __init__(self) -> None:
        self.jobs: list[BuriedJob] = []
        self.errors: list[str] = []

    def __call__(self, job: BuriedJob, error: BaseException) -> None:
        self.jobs.append(job)
        self.errors.append(type(error).__name__)


def run() -> None:
    Worker(burst=True).run()


def test_failures(queue: JobQueue) -> None:
    """It is told of what is final, and of nothing else."""
    told = Told()
    queue.on_buried(told)

    @queue.task("t", retries=1, backoff=0)
    def work(a: object) -> None:
        assert isinstance(a, list)
        a.append(1)
        raise ValueError

    @queue.task("t", max_kicks=0)
    def hopeless() -> None:
        raise KeyError

    @queue.task("t")
    def fine() -> None: ...

    ids = [work.put([0]), hopeless.put(), fine.put()]
    run()

    body = b'{"func_name":"work","tube":"t","kwargs":{"a":[0]}}'
    assert told.jobs[0] == BuriedJob(
        id=ids[0],
        tube="t",
        func_name="work",
        kwargs={"a": [0]},
        body=body,
        headers={},
    )
    assert [(job.id, job.is_deleted) for job in told.jobs] == [
        (ids[0], False),
        (ids[1], True),
    ]
    assert told.errors == ["ValueError", "KeyError"]


def test_jobs_that_cannot_be_run(broker: Beanstalkd, queue: JobQueue) -> None:
    """All queues that have a task in the tube are told, each once."""
    told = [Told(), Told()]
    other = JobQueue(broker.url)
    for one, hook in zip((queue, other), told, strict=True):
        one.on_buried(hook)

    @queue.task("t")
    def work() -> None: ...

    @queue.task("t")
    def more() -> None: ...

    @other.task("t")
    def others() -> None: ...

    bodies = b"junk", b'{"func_name":"nobody","tube":"t","kwargs":{"a":1}}'
    misfit = b'{"func_name":"work","tube":"t","kwargs":{"a":1}}'
    for body in (*bodies, misfit):
        broker.put(body)
    run()

    found = [(job.func_name, job.kwargs, job.body) for job in told[0].jobs]
    assert found == [
        (None, None, bodies[0]),
        ("nobody", {"a": 1}, bodies[1]),
        ("work", {"a": 1}, misfit),
    ]
    assert told[0].errors == ["BadJobError"] * 3
    assert [job.body for job in told[1].jobs] == list(bodies)


def test_crash_loop(broker: Beanstalkd, queue: JobQueue) -> None:
    """It is told before the last run, which may be the end of the worker."""
    told = Told()
    queue.on_buried(told)

    @queue.task("t")
    def work() -> None:
        eventually(lambda: told.errors, ["CrashLoopError"])

    work.put()
    for _ in range(2):
        with broker.client("t") as lost:
            lost.reserve(5)
    run()

    assert told.errors == ["CrashLoopError"]


def test_stuck_job(queue: JobQueue) -> None:
    told = Told()
    queue.on_buried(told)

    @queue.task("t", time_limit=0.01)
    def work() -> None:
        time.sleep(0.7)

    work.put()
    with pytest.raises(JobStuckError):
        with_timings(Worker(), time_limit_grace=0.1).run()

    assert told.errors == ["TimeLimitExceeded"]
    assert told.jobs[0].func_name == "work"


def test_its_own_error(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the other hooks and jobs go on."""
    told = Told()

    @queue.on_buried
    def broken(job: BuriedJob, _error: BaseException) -> None:
        raise SystemExit(f"no {job.func_name}")

    queue.on_buried(told)

    @queue.task("t")
    def work() -> None:
        raise ValueError

    work.put_many([{}, {}])
    run()

    assert told.errors == ["ValueError"] * 2
    said = [r for r in caplog.records if "on_buried" in r.getMessage()]
    assert [r.levelno for r in said] == [logging.ERROR] * 2
    assert "SystemExit: no work" in caplog.text
    assert broker.counts("t") == {"buried": 2}


def test_the_next_job_is_not_held_up(broker: Beanstalkd, queue: JobQueue) -> None:
    """While a hook runs, the slot has no other job that it does not run."""
    is_told, may_go_on = threading.Event(), threading.Event()

    @queue.on_buried
    def slow(_job: BuriedJob, _error: BaseException) -> None:
        is_told.set()
        assert may_go_on.wait(20)

    @queue.task("t")
    def work() -> None:
        raise ValueError

    work.put_many([{}, {}])
    with working(Worker()):
        assert is_told.wait(20)
        assert broker.counts("t") == {"buried": 1, "ready": 1}
        may_go_on.set()
        eventually(lambda: broker.counts("t"), {"buried": 2})


def test_wrong_hooks() -> None:
    async def coroutine(job: BuriedJob, error: BaseException) -> None: ...

    for wrong in (coroutine, None):
        with pytest.raises(TaskDefinitionError, match="takes the job and the error"):
            JobQueue().on_buried(wrong)  # type: ignore[type-var]


def test_the_default_queue() -> None:
    told = Told()

    assert PlainQueue.on_buried(told) is told
    assert told in PlainQueue.default()._on_buried
    PlainQueue.default()._on_buried.remove(told)
