"""A job that needs a thread which can't be started runs later."""

import asyncio
import errno
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobqueue import Job, JobQueue, JobQueueError, TimeLimitExceeded
from jobqueue.job.outcome import RunLater
from jobqueue.worker.running.executor import Executor
from tests.helpers.refused_threads import refusing_threads
from tests.helpers.reserved import Run
from tests.helpers.servers import eventually_true

LOOP = "jobqueue-event-loop"
LIMITS = "jobqueue-time-limits"

begun: list[str] = []


@pytest.fixture(autouse=True)
def _none_begun() -> None:
    begun.clear()


def spin() -> None:
    begun.append("spin")
    while True:
        pass


async def sleep() -> None:
    begun.append("sleep")
    await asyncio.sleep(60)


def returns_awaitable() -> Any:
    return sleep()


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
@pytest.mark.parametrize(
    ("func", "thread"),
    [(spin, LIMITS), (sleep, LIMITS), (sleep, LOOP), (returns_awaitable, LOOP)],
)
def test_runs_later(
    run: Run, func: Callable[[], Any], thread: str, error: type[Exception]
) -> None:
    """The next job tries to start the thread again, and its limit is kept."""
    JobQueue.task("t", time_limit=0.05)(func)

    with refusing_threads(thread, error=error) as refused:
        for _ in range(2):
            refusal = run(func.__name__).error
            assert isinstance(refusal, RunLater)
            assert refusal.is_fault
            assert f"the thread {thread} can't be started" in str(refusal)
    assert refused == [thread] * 2
    assert begun == []
    assert isinstance(run(func.__name__).error, TimeLimitExceeded)
    assert len(begun) == 1


def test_no_limit(run: Run) -> None:
    @JobQueue.task("t")
    async def work() -> None:
        begun.append("work")

    with refusing_threads(LOOP):
        assert isinstance(run("work").error, RunLater)
    assert run("work").error is None
    assert begun == ["work"]


@pytest.mark.parametrize(("func", "thread"), [(spin, LIMITS), (sleep, LOOP)])
def test_no_hook_begins(run: Run, func: Callable[[], Any], thread: str) -> None:
    queue = JobQueue()

    @queue.around
    def note(_job: Job) -> Iterator[None]:
        begun.append("hook")
        yield

    queue.task("t", time_limit=0.05)(func)
    with refusing_threads(thread):
        assert isinstance(run(func.__name__).error, RunLater)
    assert begun == []
    assert isinstance(run(func.__name__).error, TimeLimitExceeded)
    assert begun == ["hook", func.__name__]


def test_no_descriptor_for_a_loop(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    @JobQueue.task("t")
    async def work() -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "new_event_loop", refuse)
        error = run("work").error
    assert isinstance(error, RunLater)
    assert str(error).endswith(
        "the event loop could not be started: [Errno 24] Too many open files"
    )
    assert run("work").error is None


def test_close_after_a_refusal(executor: Executor) -> None:
    event_loop, limits = executor._event_loop, executor._limits
    with refusing_threads(LOOP), pytest.raises(RunLater):
        event_loop.start()
    with refusing_threads(LIMITS), pytest.raises(JobQueueError):
        limits.prepare()

    event_loop.close()
    limits.close()


def test_loop_that_an_error_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs on it end, and one that comes meanwhile has another loop."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    running, closing, may_end = (threading.Event() for _ in range(3))

    def exit_once(loop: asyncio.AbstractEventLoop, _context: object) -> None:
        loop.set_exception_handler(None)
        raise SystemExit

    @JobQueue.task("t")
    async def waits() -> None:
        running.set()
        try:
            await asyncio.sleep(60)
        finally:
            closing.set()
            assert may_end.wait(20)  # nothing else runs on this loop meanwhile

    @JobQueue.task("t")
    async def breaks() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(exit_once)
        loop.call_soon(sys.exit)

    @JobQueue.task("t")
    async def work() -> None: ...

    with ThreadPoolExecutor() as pool:
        execution = pool.submit(run, "waits")
        assert running.wait(20)
        run("breaks")
        assert closing.wait(20)
        assert run("work").error is None
        may_end.set()
        assert isinstance(execution.result().error, asyncio.CancelledError)


def test_watch_that_an_error_ends(
    run: Run, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next limit has another thread."""
    JobQueue.task("t", time_limit=0.05)(spin)

    @JobQueue.task("t", time_limit=60)
    def work() -> None: ...

    died: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    with monkeypatch.context() as patch:
        patch.setattr(executor._limits._turns, "end", lambda: 1 / 0)
        assert run("work").error is None
        eventually_true(lambda: died)
    assert isinstance(run("spin").error, TimeLimitExceeded)
