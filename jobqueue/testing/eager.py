"""eager: a put runs its task at once, without a broker."""

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from jobqueue.broker.producing import BulkPut
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import EndlessJobsError, JobTooBigError
from jobqueue.task.definition import Task
from jobqueue.task.registry import subscriber
from jobqueue.testing.redirect import redirected_to
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Executor, ReservedJob
from jobqueue.worker.running.time_limit import TimeLimits
from jobqueue.worker.running.tracebacks import set_traceback

MAX_JOB_SIZE = 65_535  # bytes, beanstalkd's default
DEEPEST = 30  # jobs within one another: few enough for the stack, whatever the hooks

_running: ContextVar[tuple[str, ...]] = ContextVar("jobqueue_eager_jobs")


@contextmanager
def eager() -> Iterator[None]:
    """Make each put of this process run its task at once, in the calling thread.

    The job goes through JSON and the registry of tasks, as on its way to a worker: an
    error there is an error here, too. The task runs once, whatever its ``retries``
    and ``delay``, and the put raises its error. Hooks, time limits, ``async`` tasks and
    ``current_job()`` work as in a worker.

    >>> with eager():
    ...     send.put(to="ada@example.org", subject="Hello")
    1
    """
    with closing(Eager()) as destination, redirected_to(destination):
        yield


class Eager:
    """The destination of eager puts."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._limits: TimeLimits[ReservedJob] = TimeLimits()
        self._idle_loops: list[EventLoop] = []

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Run a job, and return its id. Raises whatever the task raises."""
        if len(body) > MAX_JOB_SIZE:
            raise JobTooBigError(
                f"a job of {len(body)} bytes for tube {tube!r} is too big: beanstalkd "
                f"takes {MAX_JOB_SIZE} at most, unless it is started with a larger -z"
            )
        job = _EagerJob(next(self._ids), body, tube, options)
        with self._idle_loop() as loop:
            executor = Executor(subscriber.find, self._limits, loop)
            call = executor.resolve(job)
            with _within(call.task.func_name):
                result = executor.run(call, job)
        try:
            if isinstance(result.error, EndlessJobsError):
                set_traceback(result.error, None)  # of all the jobs within one another
            if result.error is not None:
                raise result.error
        finally:
            del result  # the error refers to this frame: break the cycle
        return job.id

    async def aput(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Run a job like :meth:`put`, without blocking the running event loop."""
        from jobqueue.broker.own_thread import in_own_thread  # noqa: PLC0415 - slow

        return await in_own_thread(self.put, tube, body, options)

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Run jobs one after the other, up to an item that can't be put."""
        bulk: BulkPut[Exception] = BulkPut()
        for body in bulk.sending(bodies):
            bulk.answered(self.put(tube, body, options))
        if bulk.source_error is not None:
            raise bulk.error(bulk.source_error) from bulk.source_error
        return bulk.ids

    def close(self) -> None:
        """Stop the event loops, and the thread that watches time limits."""
        for loop in self._idle_loops:
            loop.close()
        self._limits.close()

    @contextmanager
    def _idle_loop(self) -> Iterator[EventLoop]:
        """Lend an idle event loop: one whose async task makes this put is busy."""
        try:
            loop = self._idle_loops.pop()
        except IndexError:
            loop = EventLoop()
        yield loop
        self._idle_loops.append(loop)


@contextmanager
def _within(func_name: str) -> Iterator[None]:
    """Note that a job runs. Raises EndlessJobsError if it runs within too many."""
    outside = _running.get(())
    if len(outside) == DEEPEST:
        names = outside[::-1]  # from the innermost job
        back = names.index(func_name) + 1 if func_name in names else 1
        circle = " puts ".join(f"{name}()" for name in (*outside[-back:], func_name))
        raise EndlessJobsError(
            f"{circle}, and so on: {DEEPEST} jobs run within one another, as eager() "
            "runs each at its put, whatever its delay. Use run_jobs for this test: it "
            "runs them one after the other, and leaves those with a delay"
        )
    token = _running.set((*outside, func_name))
    try:
        yield
    finally:
        _running.reset(token)


@dataclass(slots=True)
class _EagerJob:
    """A job that is on no broker, with the interface of a reserved one."""

    id: int
    body: bytes
    tube: str
    options: PutOptions
    task: Task | None = None
    began: float = field(default_factory=time.monotonic)

    def touch(self) -> bool:
        return True

    def stats(self) -> JobStats:
        return JobStats(
            id=self.id,
            tube=self.tube,
            state=JobState.RESERVED,
            priority=self.options.priority,
            age=0,
            delay=0,
            ttr=self.options.ttr,
            time_left=self.options.ttr,
            reserves=1,
            timeouts=0,
            releases=0,
            buries=0,
            kicks=0,
        )

    def retries_left(self) -> int:
        return 0  # the task runs once

    def publish_deadline(self, seconds: float | None) -> None: ...
