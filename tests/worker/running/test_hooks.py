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
from jobqueue.job.context import Around
from tests.helpers.reserved import Reserved, Run


def test_order_and_job(run: Run) -> None:
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


def test_own_queue_only(run: Run) -> None:
    """Hooks run for the jobs of their own queue, async tasks included."""
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
def test_failure(run: Run, failure: BaseException) -> None:
    """A hook sees the failure; a hook that swallows it changes nothing."""
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


def test_error_of_a_hook(run: Run) -> None:
    """The job fails with it."""
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
def test_yields_once(run: Run, yields: int, fails: bool) -> None:
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


def test_not_a_generator_function() -> None:
    async def asynchronous(_job: Job) -> Any:
        yield

    wrong: Any
    for wrong in (print, asynchronous, lambda job: job, None):
        with pytest.raises(TaskDefinitionError, match="yields once"):
            JobQueue().around(wrong)


def test_current_job(run: Run) -> None:
    """In a thread, on the event loop, and in what these call."""
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


def test_no_current_job() -> None:
    """A plain call has none, and other threads have none."""
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


def test_attempt_and_touch(run: Run) -> None:
    found: list[object] = []

    @JobQueue.task("t")
    def work() -> None:
        found.append(current_job().attempt)
        current_job().touch()

    assert run("work").error is None
    assert found == [3]


def test_lost_job() -> None:
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


def reporting(seen: list[list[str]]) -> Around:
    def report(_job: Job) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            seen.append(functions_of(error))
            raise

    return report


def converting(_job: Job) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise LookupError from error
    except LookupError:
        raise OSError  # noqa: B904 - the other is its context


def functions_of(error: BaseException) -> list[str]:
    """Return the functions in a traceback, also of the errors that led to it."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return [line.rpartition(" in ")[2] for line in lines if line.startswith("  File ")]


@pytest.mark.parametrize("time_limit", [None, 60])
@pytest.mark.parametrize("is_async", [False, True])
def test_traceback_in_hooks(run: Run, is_async: bool, time_limit: float | None) -> None:
    """Neither a hook that reports a failure, nor the log, shows a frame of ours."""
    queue = JobQueue()
    seen: list[list[str]] = []
    hooks = [reporting(seen), converting, reporting(seen), converting, reporting(seen)]
    for hook in hooks:
        queue.around(hook)

    def inner() -> None:
        raise ValueError

    if is_async:

        @queue.task("t", time_limit=time_limit)
        async def work() -> None:
            await asyncio.sleep(0)
            inner()

    else:

        @queue.task("t", time_limit=time_limit)
        def work() -> None:
            inner()

    error = run("work").error

    assert isinstance(error, OSError)
    assert functions_of(error) == ["work", "inner", "converting", "converting"]
    assert seen == [
        ["report", "work", "inner"],
        ["work", "inner", "report", "converting"],
        ["work", "inner", "converting", "report", "converting"],
    ]


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
