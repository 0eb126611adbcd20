"""Where a time limit may strike in a thread: nowhere where it tears something."""

import contextlib
import logging
import multiprocessing
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from jobqueue import Job, JobQueue, TimeLimitExceeded, current_job
from jobqueue.broker.stats import JobStats
from jobqueue.worker.running.executor import Executor
from jobqueue.worker.settings import Timings
from tests.helpers.reserved import Reserved, Run, Running, stats
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually

LIMIT = 0.05  # seconds


def pass_the_limit() -> None:
    """Run for so long that the limit would strike here, were it a safe place."""
    until = time.monotonic() + 3 * LIMIT
    while time.monotonic() < until:
        pass


class PythonLock:
    """A lock of Python code, as many libraries have."""

    def __init__(self, slow: str) -> None:
        self.slow = slow
        self.lock = threading.Lock()

    def step(self, name: str) -> None:
        if name == self.slow:
            pass_the_limit()

    def acquire(self) -> None:
        self.lock.acquire()
        self.step("acquire")

    def release(self) -> None:
        self.step("release")
        self.lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        self.step("__enter__")
        return self

    def __exit__(self, *_error: object) -> None:
        self.step("__exit__")
        self.release()


@pytest.mark.parametrize("slow", ["acquire", "__enter__", "__exit__", "release"])
def test_locks_of_python_code(run: Run, slow: str) -> None:
    lock = PythonLock(slow)

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        with lock:
            pass
        while True:
            time.sleep(0)

    assert isinstance(run("work").error, TimeLimitExceeded)
    assert not lock.lock.locked()


def test_steps_of_context_managers(run: Run) -> None:
    """Neither their beginning nor their end is interrupted, whatever they call."""
    seen: list[str] = []

    @contextlib.contextmanager
    def connected() -> Iterator[None]:
        pass_the_limit()
        seen.append("opened")
        try:
            yield
        finally:
            pass_the_limit()
            seen.append("closed")

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        with connected():
            while True:
                time.sleep(0)

    assert isinstance(run("work").error, TimeLimitExceeded)
    assert seen == ["opened", "closed"]


def test_locks_of_log_handlers(run: Run) -> None:
    """A handler that is slow to write is let finish, and its lock is free again."""

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            pass_the_limit()
            written.append(record.getMessage())

    written: list[str] = []
    logger = logging.getLogger("slow")
    handler = Slow()
    logger.addHandler(handler)

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        logger.warning("whole")
        while True:
            time.sleep(0)

    assert isinstance(run("work").error, TimeLimitExceeded)
    assert written == ["whole"]
    assert handler.lock is not None
    assert handler.lock.acquire(timeout=DEADLINE)


def test_destructors(run: Run) -> None:
    """An error in ``__del__`` would be lost, and the job run on."""

    class Slow:
        def __del__(self) -> None:
            pass_the_limit()

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        Slow()
        while True:
            time.sleep(0)

    assert isinstance(run("work").error, TimeLimitExceeded)


class Slow(Reserved):
    """A reservation whose broker takes so long that the limit passes."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.answers: list[str] = []

    def touch(self) -> bool:
        pass_the_limit()
        self.answers.append("touched")
        return True

    def stats(self) -> JobStats | None:
        pass_the_limit()
        self.answers.append("counted")
        return stats(reserves=3)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [(Job.touch, "touched"), (lambda job: job.attempt, "counted")],
)
def test_own_calls(executor: Executor, ask: Callable[[Job], Any], answer: str) -> None:
    """The broker's answer is waited for; then, before any line, the limit strikes."""
    went_on: list[int] = []

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        for call in range(20):
            ask(current_job())
            went_on.append(call)

    reserved = Slow(b'{"func_name": "work", "tube": "t", "kwargs": {}}')
    error = executor.run(executor.resolve(reserved), reserved).error

    assert isinstance(error, TimeLimitExceeded)
    assert str(error) == f"it ran for longer than {LIMIT:g} s"
    assert reserved.answers == [answer] * (len(went_on) + 1)


@pytest.mark.parametrize("size", [1, 500])
def test_puts(broker: Beanstalkd, run: Run, size: int) -> None:
    """A task that only puts jobs is interrupted between two puts."""
    with JobQueue(broker.url) as queue:
        ids: list[int] = []

        @queue.task("other")
        def other(n: int) -> None: ...

        @queue.task("t", time_limit=0.2)
        def work() -> None:
            while True:
                if size == 1:
                    ids.append(other.put(n=1))
                else:
                    ids.extend(other.put_many({"n": n} for n in range(size)))

        assert isinstance(run("work").error, TimeLimitExceeded)
        put = len(ids)
        assert other.put(n=2) in {put + 1, put + size + 1}  # the connection is in step


def test_calls_of_other_tasks(run: Run) -> None:
    """The function of a task that is called plainly is the task's own code."""

    @JobQueue.task("t")
    def inner() -> None:
        while True:
            time.sleep(0)

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        inner()

    assert isinstance(run("work").error, TimeLimitExceeded)


def test_polls(run: Run) -> None:
    """A task that polls waits in ``threading`` nearly always, and is interrupted."""
    permits = threading.Semaphore(0)
    changed = threading.Condition()

    @JobQueue.task("t", time_limit=LIMIT)
    def in_semaphore() -> None:
        while not permits.acquire(timeout=0.01):
            pass

    @JobQueue.task("t", time_limit=LIMIT)
    def in_condition() -> None:
        with changed:
            while not changed.wait_for(lambda: False, timeout=0.01):
                pass

    for name in ("in_semaphore", "in_condition"):
        assert isinstance(run(name).error, TimeLimitExceeded)
    assert changed.acquire(timeout=DEADLINE)
    permits.release()
    assert permits.acquire(timeout=0)


def test_never_safe(running: Running, run: Run, executor: Executor) -> None:
    """A job that is never at a safe place is stuck in the end, and nothing is torn."""
    executor._limits._timings = Timings(time_limit_grace=0.1)
    stop = threading.Event()
    lock = PythonLock("acquire")
    lock.step = lambda _: stop.wait(DEADLINE)  # type: ignore[assignment,method-assign]

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        with lock:
            pass

    thread = threading.Thread(target=run, args=("work",))
    thread.start()
    eventually(lambda: [job.id for job in running.stuck], [7])
    stop.set()
    thread.join()

    assert not lock.lock.locked()
    running.stuck.clear()


def in_run() -> None:
    subprocess.run([sys.executable, "-c", SLEEP], check=True)


def in_check_output() -> None:
    subprocess.check_output([sys.executable, "-c", SLEEP])


def in_communicate() -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP], stdin=-1) as process:
        process.communicate(b"")


def in_join() -> None:
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    process.join()


SLEEP = "import time; time.sleep(60)"


@pytest.mark.parametrize("work", [in_run, in_check_output, in_communicate, in_join])
def test_waiting_for_processes(run: Run, work: Callable[[], None]) -> None:
    """The process is killed, so that the wait for it ends."""
    JobQueue.task("t", time_limit=0.2)(work)

    assert isinstance(run(work.__name__).error, TimeLimitExceeded)


def test_switch_interval(run: Run) -> None:
    """What makes threads take short turns meanwhile is taken back."""
    usual = sys.getswitchinterval()
    lock = PythonLock("acquire")

    @JobQueue.task("t", time_limit=LIMIT)
    def work() -> None:
        with lock:
            while True:
                time.sleep(0)

    assert isinstance(run("work").error, TimeLimitExceeded)
    eventually(sys.getswitchinterval, usual)


def test_hooks(run: Run) -> None:
    """A limit holds for each part of a hook."""
    queue = JobQueue()
    hangs: list[str] = []
    seen: list[str] = []

    @queue.around
    def hook(_job: Job) -> Iterator[None]:
        if hangs == ["before"]:
            pass_for_ever()
        yield
        seen.append("after")
        if hangs == ["after"]:
            pass_for_ever()

    @queue.task("t", time_limit=LIMIT)
    def work() -> None:
        seen.append("work")

    for hangs[:] in (["before"], ["after"]):
        error = run("work").error
        assert isinstance(error, TimeLimitExceeded)
        text = "".join(traceback.format_exception(error))
        assert "in hook" in text
        assert "jobqueue/worker" not in text
    assert seen == ["work", "after"]


def pass_for_ever() -> None:
    while True:
        pass


def test_hook_that_is_stuck(running: Running, run: Run, executor: Executor) -> None:
    """A hook in a call that can't be interrupted is stuck like a task in one."""
    executor._limits._timings = Timings(time_limit_grace=0.1)
    queue = JobQueue()
    dead = threading.Lock()
    dead.acquire()

    @queue.around
    def hook(_job: Job) -> Iterator[None]:
        yield
        dead.acquire(timeout=DEADLINE)

    @queue.task("t", time_limit=LIMIT)
    def work() -> None: ...

    thread = threading.Thread(target=run, args=("work",))
    thread.start()
    eventually(lambda: [job.id for job in running.stuck], [7])
    dead.release()
    thread.join()
    running.stuck.clear()
