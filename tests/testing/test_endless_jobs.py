"""In a test, jobs that put one another without end are one clear error."""

import asyncio
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobqueue import Job, JobQueue, JobQueueError
from jobqueue.errors import EndlessJobsError
from jobqueue.testing import beanstalkd, eager, run_jobs

Put = Callable[[Any], object]

WAYS: dict[str, Put] = {
    "put": lambda task: task.put(),
    "later": lambda task: task.options(delay=60).put(),
    "put_many": lambda task: task.put_many([{}]),
    "aput": lambda task: asyncio.run(task.aput()),
    "aput_many": lambda task: asyncio.run(task.aput_many([{}])),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hooks", [0, 3])
def test_eager(queue: JobQueue, way: str, hooks: int) -> None:
    """A task that puts itself is named, with what to do, whatever is around it."""
    runs = [0]

    def hook(_job: Job) -> Iterator[None]:
        yield

    @queue.task("t")
    def again() -> None:
        runs[0] += 1
        WAYS[way](again)

    for _ in range(hooks):
        queue.around(hook)
    with eager(), pytest.raises(EndlessJobsError) as raised:
        again.put()

    assert runs == [30]
    assert str(raised.value).startswith("again() puts again(), and so on: 30 jobs")
    assert "Use run_jobs" in str(raised.value)
    assert isinstance(raised.value, RecursionError)
    assert len(traceback.extract_tb(raised.value.__traceback__)) < 8


def test_eager_async(queue: JobQueue) -> None:
    @queue.task("t")
    async def again() -> None:
        await again.options(delay=60).aput()

    with eager(), pytest.raises(EndlessJobsError, match=r"again\(\) puts again\(\)"):
        again.put()


def circle(queue: JobQueue) -> Any:
    """Return a task that puts one that puts another, which puts the first."""

    @queue.task("t")
    def one() -> None:
        two.put()

    @queue.task("t")
    def two() -> None:
        three.put()

    @queue.task("t")
    def three() -> None:
        one.put()

    return one


def test_eager_circle(queue: JobQueue) -> None:
    with (
        eager(),
        pytest.raises(
            EndlessJobsError,
            match=r"^one\(\) puts two\(\) puts three\(\) puts one\(\), and",
        ),
    ):
        circle(queue).put()


def test_eager_goes_on_after_it(queue: JobQueue) -> None:
    """A task may handle the error; jobs beside one another are not counted."""
    handled: list[EndlessJobsError] = []

    @queue.task("t")
    def again() -> None:
        try:
            again.put()
        except EndlessJobsError as error:
            handled.append(error)

    @queue.task("t")
    def fine(n: int) -> None:
        if n:
            fine.put(n - 1)

    with eager():
        again.put()
        for _ in range(3):
            fine.put(29)
        fine.put_many({"n": 1} for _ in range(100))
    assert len(handled) == 1


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"later"}))
def test_run_jobs(queue: JobQueue, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """run_jobs would run the jobs of a task that puts itself for ever."""
    monkeypatch.setattr("jobqueue.testing.generations.LONGEST", 20)
    runs = [0]

    @queue.task("t")
    def again() -> None:
        runs[0] += 1
        WAYS[way](again)

    with beanstalkd() as url:
        again.put()
        with pytest.raises(
            EndlessJobsError, match=r"again\(\) has put .* with a delay"
        ):
            run_jobs(url)
        assert runs == [20]
        again.put()
        assert len(run_jobs(url, reraise=False)) == 20


def test_run_jobs_circle(queue: JobQueue) -> None:
    with beanstalkd() as url:
        circle(queue).put()
        with pytest.raises(EndlessJobsError, match="1,000 jobs one after the other"):
            run_jobs(url)


def test_run_jobs_with_an_end(queue: JobQueue) -> None:
    """Any number of jobs may be put, and retried, and any of them put for later."""
    runs = [0]

    @queue.task("t", retries=3)
    def work(n: int) -> None:
        runs[0] += 1
        if n:
            work.put_many([{"n": n - 1}] * 2)
        work.options(delay=60).put(n)
        if runs[0] % 4 == 0:
            raise ValueError

    with beanstalkd() as url:
        work.put_many({"n": n % 3} for n in range(600))
        run_jobs(url, reraise=False)
    assert runs[0] > 1000


def test_eager_and_run_jobs(queue: JobQueue) -> None:
    """Under eager() no job waits for run_jobs; a test that has both says nothing."""

    @queue.task("t")
    def work() -> None: ...

    with beanstalkd() as url, eager():
        work.put()
        with pytest.raises(JobQueueError, match=r"eager\(\) is in effect"):
            run_jobs(url)
    with eager(), beanstalkd() as url:  # the one that began last counts
        work.put()
        assert len(run_jobs(url)) == 1
