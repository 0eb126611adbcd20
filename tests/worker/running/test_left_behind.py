"""What a job leaves behind: what it returns, and what the next job sees of it."""

import asyncio
import contextvars
import decimal
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Never

import pytest

from jobqueue import Job, JobQueue
from jobqueue.job.context import current_job_var
from tests.helpers.own_loop import close_own_loop
from tests.helpers.reserved import BOTH_WAYS, Run


class Hostile:
    """A value all of whose code raises, as that of a lazy object without its database.

    Its class can't be asked, nor can it be compared, hashed or shown.
    """

    def refuse(self, *_args: object) -> Never:
        raise RuntimeError("the value's own code ran")

    __class__ = property(refuse)
    __bool__ = __len__ = __eq__ = __hash__ = __repr__ = refuse
    __getattr__ = refuse


class HostileKind(type):
    """A metaclass that answers no question about its class."""

    def __getattr__(cls, name: str) -> Never:
        raise RuntimeError(f"asked for {name}")


class OfHostileKind(metaclass=HostileKind):
    """A value of a class that can't be asked."""


class NotAwaitable:
    """A value that says that it can't be awaited."""

    __await__ = None


def started() -> Iterator[int]:
    numbers = (n for n in range(3))
    next(numbers)
    return numbers


@pytest.mark.parametrize("make", [Hostile, OfHostileKind, NotAwaitable, started])
@pytest.mark.parametrize("time_limit", [None, 60])
@pytest.mark.parametrize("is_async", [False, True])
def test_values(
    run: Run, make: Callable[[], Any], time_limit: float | None, is_async: bool
) -> None:
    """Nothing about the value that a function returns fails its job."""

    def work() -> Any:
        return make()

    async def async_work() -> Any:
        return make()

    func: Callable[[], Any] = async_work if is_async else work
    JobQueue.task("t", time_limit=time_limit)(func)

    assert run(func.__name__).error is None


def test_value_with_a_broken_destructor(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: said.append(args.exc_type))

    class Broken:
        def __del__(self) -> None:
            raise SystemExit(3)

    @JobQueue.task("t")
    def work() -> Broken:
        return Broken()

    assert run("work").error is None
    assert said == [SystemExit]


def test_generators_of_which_nothing_has_run(run: Run) -> None:
    """A wrapper has hidden what the function is: its code would silently not run."""

    def hidden() -> Iterator[int]:
        yield 1

    async def hidden_async() -> AsyncIterator[int]:
        yield 1

    for name, func in (("work", hidden), ("async_work", hidden_async)):

        def wrapper(func: Callable[[], object] = func) -> object:
            return func()

        wrapper.__name__ = wrapper.__qualname__ = name
        JobQueue.task("t")(wrapper)

        error = run(name).error
        assert isinstance(error, TypeError)
        assert "returned a generator, of which nothing has run" in str(error)


tenant: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "tenant", default=None
)


def test_context_variables(run: Run) -> None:
    """Each job begins with those of the slot, and so does each hook; decimal's too."""
    queue = JobQueue()
    seen: list[object] = []

    @queue.around
    def hook(job: Job) -> Iterator[None]:
        seen.append((tenant.get(), decimal.getcontext().prec))
        tenant.set(f"hook of {job.func_name}")
        yield

    @queue.task("t")
    def work() -> None:
        seen.append(tenant.get())
        tenant.set("ada")
        decimal.getcontext().prec = 3

    @queue.task("t")
    async def async_work() -> None:
        seen.append(tenant.get())
        tenant.set("bob")

    def slot() -> None:
        for name in ("work", "async_work"):
            assert run(name).error is None
        seen.append((tenant.get(), decimal.getcontext().prec))
        seen.append(current_job_var.get(None))

    thread = threading.Thread(target=slot)  # with a context of its own
    thread.start()
    thread.join()

    new = (None, decimal.DefaultContext.prec)
    assert seen == [new, "hook of work", new, "hook of async_work", new, None]


def test_disabled_logging(run: Run) -> None:
    """What a job disables is enabled again, so that its failure can be logged."""

    @JobQueue.task("t")
    def work() -> None:
        logging.disable(logging.CRITICAL)
        raise ValueError

    assert isinstance(run("work").error, ValueError)
    assert logging.root.manager.disable == logging.NOTSET


def test_logging_disabled_before_another_job(run: Run) -> None:
    """A job that began while logging was disabled does not disable it again."""
    disabled, ended = threading.Event(), threading.Event()

    @JobQueue.task("t")
    def disables() -> None:
        logging.disable(logging.CRITICAL)
        disabled.set()
        assert began.wait(10)

    @JobQueue.task("t")
    def goes_on() -> None:
        began.set()
        assert ended.wait(10)

    began = threading.Event()
    first = threading.Thread(target=run, args=["disables"])
    first.start()
    assert disabled.wait(10)
    second = threading.Thread(target=run, args=["goes_on"])
    second.start()
    first.join()
    ended.set()
    second.join()
    assert logging.root.manager.disable == logging.NOTSET


def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def cancel_all() -> None:
    for task in asyncio.all_tasks():
        task.cancel()


@BOTH_WAYS
@pytest.mark.parametrize("cancel", [cancel_itself, cancel_all])
@pytest.mark.parametrize("time_limit", [None, 60])
def test_cancelled_by_something_else(
    run: Run, cancel: Callable[[], None], time_limit: float | None
) -> None:
    """It is a failure of the job, and not that of its limit."""

    @JobQueue.task("t", time_limit=time_limit)
    async def work() -> None:
        cancel()
        await asyncio.sleep(60)

    assert isinstance(run("work").error, asyncio.CancelledError)


@BOTH_WAYS
def test_cancelled_at_its_last_step(run: Run) -> None:
    """A task that has run to its end has succeeded."""

    @JobQueue().task("t")
    async def ends() -> None:
        cancel_itself()

    assert run("ends").error is None


@BOTH_WAYS
def test_cancelled_before_it_began(run: Run) -> None:
    """No line of it ever runs, so the slot has to look for itself."""

    @JobQueue.task("t")
    async def cancels_the_next() -> None:
        def factory(loop: Any, code: Any, **options: Any) -> Any:
            task = asyncio.Task(code, loop=loop, **options)
            task.cancel()
            loop.set_task_factory(None)
            return task

        asyncio.get_running_loop().set_task_factory(factory)

    @JobQueue.task("t")
    async def work() -> None: ...

    assert run("cancels_the_next").error is None
    error = run("work").error
    assert isinstance(error, asyncio.CancelledError)
    assert str(error) == "cancelled before it began"
    assert run("work").error is None


@BOTH_WAYS
def test_broken_task_factory(run: Run) -> None:
    @JobQueue.task("t")
    async def breaks() -> None:
        def factory(loop: Any, code: Any, **_options: Any) -> Any:
            loop.set_task_factory(None)
            code.close()
            raise ZeroDivisionError

        asyncio.get_running_loop().set_task_factory(factory)

    @JobQueue.task("t")
    async def work() -> None: ...

    assert run("breaks").error is None
    assert isinstance(run("work").error, ZeroDivisionError)
    assert run("work").error is None


@BOTH_WAYS
def test_loop_is_stopped(run: Run) -> None:
    """It goes on at once, for the jobs of all other slots."""

    @JobQueue.task("t")
    async def work() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)

    assert run("work").error is None
    assert run("work").error is None


@BOTH_WAYS
def test_loop_in_the_loop(run: Run) -> None:
    """That is a failure as it is elsewhere."""

    @JobQueue.task("t")
    async def work() -> None:
        code = asyncio.sleep(0)
        try:
            asyncio.run(code)
        finally:
            code.close()

    assert isinstance(run("work").error, RuntimeError)


@BOTH_WAYS
def test_loop_is_closed(run: Run) -> None:
    """The jobs on it fail, and the next one gets another loop."""

    @JobQueue.task("t")
    async def closes() -> None:
        await close_own_loop()

    @JobQueue.task("t")
    async def work() -> None: ...

    error = run("closes").error
    assert isinstance(error, asyncio.CancelledError)
    assert str(error) == "its loop was closed"
    assert run("work").error is None
