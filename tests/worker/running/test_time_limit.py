"""Time limits and the event loop, with no broker in sight."""

import asyncio
import contextvars
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from jobqueue import Job, JobQueue, TimeLimitExceeded
from jobqueue.worker.running import thread_guard
from jobqueue.worker.running.event_loop import AwaitGuard, EventLoop
from jobqueue.worker.running.executor import Executor
from jobqueue.worker.running.time_limit import Guard, TimeLimits
from jobqueue.worker.settings import Timings
from tests.helpers.reserved import BOTH_WAYS, Reserved, Run, Running, execute
from tests.helpers.servers import DEADLINE, eventually, eventually_true


def spin() -> None:
    while True:
        pass


async def sleep() -> None:
    await asyncio.sleep(60)


async def in_a_group() -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(asyncio.sleep(60), asyncio.sleep(60))


def await_later() -> Any:
    return asyncio.sleep(60)


@pytest.mark.parametrize("func", [spin, sleep, in_a_group, await_later])
def test_raises_in_the_task(run: Run, func: Callable[[], Any]) -> None:
    JobQueue.task("t", time_limit=0.1)(func)

    error = run(func.__name__).error

    assert isinstance(error, TimeLimitExceeded)
    assert str(error) == "it ran for longer than 0.1 s"


def test_lock_is_released(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt does not leave a lock held that the task is taking."""
    lock = threading.Condition()  # like that of a log handler: taken by Python code
    looked = threading.Event()
    is_safe = thread_guard.is_safe

    def look(frame: FrameType) -> bool:
        looked.set()
        return is_safe(frame)

    monkeypatch.setattr(thread_guard, "is_safe", look)

    @JobQueue.task("t", time_limit=0.05)
    def work() -> None:
        with lock:
            spin()

    with ThreadPoolExecutor() as pool:
        with lock:
            execution = pool.submit(run, "work")
            assert looked.wait(DEADLINE)  # so the limit is over
        assert isinstance(execution.result().error, TimeLimitExceeded)
    assert lock.acquire(timeout=DEADLINE)


def test_waiting_for_locks(run: Run) -> None:
    never = threading.Event()

    @JobQueue.task("t", time_limit=0.05)
    def work() -> None:
        while not never.wait(0.01):
            pass

    assert isinstance(run("work").error, TimeLimitExceeded)


def test_cleanup(run: Run) -> None:
    tidied: list[str] = []

    @JobQueue.task("t", time_limit=0.1)
    def work() -> None:
        try:
            spin()
        except TimeLimitExceeded:
            time.sleep(0.01)
            tidied.append("work")
            raise

    @JobQueue.task("t", time_limit=0.1)
    async def async_work() -> None:
        try:
            await sleep()
        except asyncio.CancelledError:
            async with asyncio.timeout(5):
                await asyncio.sleep(0.01)
            tidied.append("async_work")
            raise

    for name in ("work", "async_work"):
        assert isinstance(run(name).error, TimeLimitExceeded)
    assert tidied == ["work", "async_work"]


def test_except_exception(run: Run) -> None:
    """`except Exception` does not catch it."""

    @JobQueue.task("t", time_limit=0.1)
    def work() -> None:
        while True:
            with suppress(Exception):
                spin()

    assert isinstance(run("work").error, TimeLimitExceeded)


def test_close_to_the_limit(
    run: Run,
) -> None:
    """The error is raised in the task, or not at all, whenever it comes."""
    ended: list[int] = []

    @JobQueue.task("t", time_limit=0.001)
    def work(n: int) -> None:
        until = time.monotonic() + 0.001 + (n % 20 - 10) * 0.000_01
        while time.monotonic() < until:
            pass
        ended.append(n)

    for n in range(500):
        error = run("work", n=n).error
        assert error is None or isinstance(error, TimeLimitExceeded)
        assert n in ended or error is not None


@BOTH_WAYS
def test_own_cancellation(run: Run) -> None:
    """A task that cancels itself has not reached its limit."""

    @JobQueue.task("t", time_limit=60)
    async def work() -> None:
        inner = asyncio.create_task(sleep())
        inner.cancel()
        await inner

    assert isinstance(run("work").error, asyncio.CancelledError)


@pytest.mark.parametrize("is_async", [False, True])
def test_stuck_job(
    running: Running,
    run: Run,
    executor: Executor,
    is_async: bool,
) -> None:
    """A job that swallows the error is reported after a grace period."""
    executor._limits._timings = Timings(time_limit_grace=0.1)
    swallowed: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                time.sleep(0.01)
            except BaseException as error:  # noqa: BLE001 - this is what is tested
                swallowed.append(error)

    async def async_work() -> None:
        while not stop.is_set():
            try:
                await asyncio.sleep(0.01)
            except BaseException as error:  # noqa: BLE001 - this is what is tested
                swallowed.append(error)

    func: Callable[[], Any] = async_work if is_async else work
    JobQueue.task("t", time_limit=0.1)(func)
    thread = threading.Thread(target=run, args=(func.__name__,))
    thread.start()
    eventually(lambda: [job.id for job in running.stuck], [7])
    stop.set()
    thread.join()

    raised = asyncio.CancelledError if is_async else TimeLimitExceeded
    assert [type(error) for error in swallowed] == [raised]
    running.stuck.clear()


@BOTH_WAYS
def test_one_event_loop(run: Run) -> None:
    """Async tasks share it, and it runs between them, too."""
    loops: set[object] = set()
    opened: list[asyncio.Task[None]] = []

    async def serve() -> None:
        await asyncio.Event().wait()

    @JobQueue.task("t")
    async def work() -> None:
        loops.add(asyncio.get_running_loop())
        if not opened:
            opened.append(asyncio.create_task(serve()))
        assert not opened[0].done()

    threads = [threading.Thread(target=run, args=("work",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert run("work").error is None
    assert len(loops) == 1


def test_event_loop_has_its_own_thread(run: Run) -> None:
    """A sync task may run a loop of its own, as it would elsewhere."""

    @JobQueue.task("t")
    async def async_work() -> None: ...

    @JobQueue.task("t")
    def work() -> None:
        asyncio.run(asyncio.sleep(0))

    assert run("async_work").error is None
    assert run("work").error is None


@BOTH_WAYS
def test_event_loop_cannot_be_ended(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    @JobQueue.task("t")
    async def quits() -> None:
        raise SystemExit(3)

    @JobQueue.task("t")
    async def quits_in_a_child() -> None:
        asyncio.get_running_loop().call_soon(exit_, 4)
        await asyncio.sleep(0.01)

    def exit_(code: int) -> None:
        raise SystemExit(code)

    @JobQueue.task("t")
    async def work() -> None: ...

    assert isinstance(run("quits").error, SystemExit)
    assert run("quits_in_a_child").error is None
    assert run("work").error is None
    assert "has tried to end the process" in caplog.text


@BOTH_WAYS
def test_context_variables(run: Run) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("from the slot")
    found: list[str] = []

    @JobQueue.task("t")
    async def work() -> None:
        found.append(variable.get())

    run("work")

    assert found == ["from the slot"]


@BOTH_WAYS
def test_left_asyncio_tasks(run: Run, executor: Executor) -> None:
    """They are cancelled when the event loop ends."""
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    @JobQueue.task("t")
    async def work() -> None:
        left.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    left: list[asyncio.Task[None]] = []
    run("work")
    executor._event_loop.close()

    assert ended == ["forever"]


def test_limit_of_each_part(executor: Executor) -> None:
    """The limit is for the call, and anew for each part of a hook; not for the log.

    The supervisor kills the process of a job that is long past its limit.
    """
    queue = JobQueue()
    seen: list[object] = []

    class Noting(Reserved):
        def publish_deadline(self, seconds: float | None) -> None:
            seen.append(seconds)

    @queue.around
    def hook(_job: Job) -> Iterator[None]:
        seen.append("before")
        yield
        seen.append("after")

    @queue.task("t", time_limit=9)
    def work() -> None:
        seen.append("work")

    body = json.dumps({"func_name": "work", "tube": "t", "kwargs": {}})
    assert execute(executor, Noting(body.encode())).error is None
    assert seen == [9, "before", None, 9, "work", None, 9, "after", None]


class Interruptible:
    """A guard of nothing, which notes that it was interrupted."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()

    def interrupt(self) -> bool:
        self.interrupted.set()
        return True

    def is_held_up(self) -> bool:
        return False

    def is_loop_blocked(self) -> bool:
        return False

    def end(self) -> None: ...


def test_limits_of_several_jobs() -> None:
    """Each holds by itself: a short one does not wait for a long one to be over."""
    limits: TimeLimits[Reserved] = TimeLimits()
    job = Reserved(b"")
    long, short = Interruptible(), Interruptible()
    with limits.watching(3600, job, long):
        eventually_true(lambda: limits._looks_at < math.inf)
        assert limits._watched[long].due <= time.monotonic() + 3600
        with limits.watching(0.01, job, short):
            assert short.interrupted.wait(20)
    limits.close()

    assert not long.interrupted.is_set()


def test_short_jobs_wake_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread looks when the first of them would be due, and not for each."""
    limits: TimeLimits[Reserved] = TimeLimits()
    limits.prepare()
    wake = limits._wake
    woken: list[float] = []

    def noting(guard: Guard, due: float) -> None:
        woken.append(due)
        wake(guard, due)

    monkeypatch.setattr(limits, "_wake", noting)
    for _ in range(9):
        eventually_true(lambda: limits._changed._waiters)  # type: ignore[attr-defined]
        with limits.watching(3600, Reserved(b""), Interruptible()):
            pass
    limits.close()

    assert len(woken) == 1


def test_limit_before_the_first_step() -> None:
    """A limit that is over before the loop comes to a task holds at its first wait."""
    event_loop = EventLoop()
    guard = AwaitGuard()

    guard.interrupt()
    with pytest.raises(TimeLimitExceeded):
        event_loop.run(guard.guarding(asyncio.sleep(0)))
    event_loop.close()
