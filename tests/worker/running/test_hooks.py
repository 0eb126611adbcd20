"""Hooks around jobs, and the current job, with no broker in sight."""

import asyncio
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from jobqueue import (
    Bury,
    Job,
    JobQueue,
    NoCurrentJobError,
    ReservationLostError,
    TaskDefinitionError,
    current_job,
)
from jobqueue.broker.stats import JobStats
from tests.helpers.reserved import Reserved, Run


def test_hooks_nest_in_their_order_and_see_the_job(run: Run) -> None:
    queue = JobQueue()
    seen: list[object] = []

    def hook(name: str) -> Callable[[Job], Iterator[None]]:
        def around(job: Job) -> Iterator[None]:
            seen.append((f"before {name}", job.func_name, job.kwargs))
            yield
            seen.append(f"after {name}")

        return around

    queue.around(hook("outer"))

    @queue.task("t")
    def work(n: int) -> None:
        seen.append(("work", n))

    queue.around(hook("inner"))  # after the task was defined

    assert run("work", n=1).error is None
    assert seen == [
        ("before outer", "work", {"n": 1}),
        ("before inner", "work", {"n": 1}),
        ("work", 1),
        "after inner",
        "after outer",
    ]


def test_hooks_are_for_the_jobs_of_their_own_queue_async_ones_too(run: Run) -> None:
    queue = JobQueue()
    seen: list[str] = []

    @queue.around
    def around(job: Job) -> Iterator[None]:
        seen.append(f"before {job.func_name}")
        yield
        seen.append(f"after {job.func_name}")

    @JobQueue.around
    def around_default(job: Job) -> Iterator[None]:
        seen.append(f"default {job.func_name}")
        yield

    try:

        @queue.task("t")
        async def work() -> None:
            await asyncio.sleep(0)
            seen.append("work")

        @JobQueue.task("t")
        def other() -> None: ...

        run("work")
        run("other")
    finally:
        JobQueue.default()._around.clear()

    assert seen == ["before work", "work", "after work", "default other"]


@pytest.mark.parametrize("failure", [ValueError(), SystemExit(), StopIteration()])
def test_a_failure_is_seen_and_stays_one_even_if_a_hook_swallows_it(
    run: Run, failure: BaseException
) -> None:
    queue = JobQueue()
    seen: list[BaseException] = []

    def swallow(_job: Job) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - this is what is tested
            seen.append(error)

    def let_through(_job: Job) -> Iterator[None]:
        yield

    for hook in (swallow, let_through, swallow):
        queue.around(hook)

    @queue.task("t")
    def work() -> None:
        raise failure

    assert run("work").error is failure
    assert seen == [failure, failure]


def test_an_error_of_a_hook_is_the_jobs(run: Run) -> None:
    queue = JobQueue()
    ran: list[str] = []

    @queue.around
    def around(job: Job) -> Iterator[None]:
        if job.kwargs["when"] == "before":
            raise LookupError("before")
        try:
            yield
        except ValueError as error:
            raise Bury("not worth a try") from error
        raise LookupError("after")

    @queue.task("t")
    def work(when: str) -> None:
        ran.append(when)
        if when == "failed":
            raise ValueError

    for when, kind in (("before", LookupError), ("after", LookupError)):
        error = run("work", when=when).error
        assert (type(error), str(error)) == (kind, when)
    assert isinstance(run("work", when="failed").error, Bury)
    assert ran == ["after", "failed"]


@pytest.mark.parametrize("yields", [0, 2])
@pytest.mark.parametrize("fails", [False, True])
def test_a_hook_has_to_yield_once(run: Run, yields: int, fails: bool) -> None:
    queue = JobQueue()
    closed: list[bool] = []

    @queue.around
    def around(_job: Job) -> Iterator[None]:
        try:
            for _ in range(yields):
                with suppress(ValueError):
                    yield
        finally:
            closed.append(True)

    @queue.task("t")
    def work() -> None:
        if fails:
            raise ValueError

    error = run("work").error

    assert isinstance(error, RuntimeError)
    problem = "did not yield" if yields == 0 else "has yielded twice"
    assert "around" in str(error)
    assert problem in str(error)
    assert closed == [True]


def test_what_is_no_generator_function_is_no_hook() -> None:
    async def asynchronous(_job: Job) -> Any:
        yield

    wrong: Any
    for wrong in (print, asynchronous, lambda job: job, None):
        with pytest.raises(TaskDefinitionError, match="yields once"):
            JobQueue().around(wrong)


def test_the_current_job_is_known_wherever_the_task_runs(run: Run) -> None:
    jobs: list[Job] = []

    def look() -> None:
        jobs.append(current_job())

    @JobQueue.task("t")
    def work(**_: int) -> None:
        look()

    @JobQueue.task("t")
    async def async_work(**_: int) -> None:
        look()
        await asyncio.gather(asyncio.to_thread(look), asyncio.create_task(later()))

    async def later() -> None:
        look()

    run("work", n=1)
    run("async_work", n=2)

    assert [(job.id, job.tube, job.func_name, job.kwargs) for job in jobs] == [
        (7, "t", "work", {"n": 1})
    ] + [(7, "t", "async_work", {"n": 2})] * 3
    with pytest.raises(NoCurrentJobError, match="was not called by a worker"):
        current_job()


def test_a_plain_call_has_no_job_and_other_threads_have_none() -> None:
    errors: list[Exception] = []

    @JobQueue.task("t")
    def work() -> None:
        try:
            current_job()
        except NoCurrentJobError as error:
            errors.append(error)

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert len(errors) == 2


def test_the_job_asks_the_broker_for_its_attempt_and_for_more_time(run: Run) -> None:
    found: list[object] = []

    @JobQueue.task("t")
    def work() -> None:
        found.append(current_job().attempt)
        current_job().touch()

    assert run("work").error is None
    assert found == [3]


def test_the_job_says_when_it_is_not_the_workers_any_more() -> None:
    class Lost(Reserved):
        def touch(self) -> bool:
            return False

        def stats(self) -> JobStats | None:
            return None

    job = Job(7, "work", "t", {}, Lost(b""))

    with pytest.raises(ReservationLostError, match="job 7 is not reserved"):
        job.touch()
    with pytest.raises(ReservationLostError, match="job 7 is not reserved"):
        _ = job.attempt


@pytest.mark.parametrize("swallows", [True, False])
def test_traceback(run: Run, swallows: bool) -> None:
    """A failure's traceback is the task's: no frame of the worker, and of no hook."""
    queue = JobQueue()

    def hook(_job: Job) -> Iterator[None]:
        try:
            yield
        except ValueError:
            if not swallows:
                raise

    for _ in range(2):
        queue.around(hook)

    def inner() -> None:
        raise ValueError

    @queue.task("t")
    def work() -> None:
        inner()

    error = run("work").error
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    assert [frame.name for frame in frames] == ["work", "inner"]
