"""Eager mode: a put runs the task at once, and no broker is needed."""

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from jobqueue.broker.producing import BulkPut
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.stats import JobStats
from jobqueue.errors import JobTooBigError
from jobqueue.task.definition import Task
from jobqueue.task.registry import subscriber
from jobqueue.testing.redirect import redirected_to
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Executor, ReservedBody
from jobqueue.worker.running.time_limit import TimeLimits

MAX_JOB_SIZE = 65_535  # bytes, beanstalkd's default


@contextmanager
def eager() -> Iterator[None]:
    """Have each put of this process run its task at once, where it was called.

    The job goes through JSON and the map of registered tasks, as on its way to a
    worker, so that what would break there breaks here. The task runs once, whatever its
    ``retries`` and ``delay``, and its error is raised by the put. Hooks, time limits,
    ``async`` tasks and ``current_job()`` work as in a worker.

    >>> with eager():
    ...     send.put(to="ada@example.org", subject="Hello")
    1
    """
    with closing(_Eager()) as destination, redirected_to(destination):
        yield


class _Eager:
    """Where eager puts go."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._limits: TimeLimits[ReservedBody] = TimeLimits()
        self._idle_loops: list[EventLoop] = []

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Run a job and return its id. Raises whatever the task raises."""
        if len(body) > MAX_JOB_SIZE:
            raise JobTooBigError(
                f"a job of {len(body)} bytes for tube {tube!r} is too big: beanstalkd "
                f"takes {MAX_JOB_SIZE} at most, unless it is started with a larger -z"
            )
        job = _EagerJob(next(self._ids), body, tube, options)
        with self._idle_loop() as loop:
            execution = Executor(subscriber.find, self._limits, loop).execute(job)
        try:
            if execution.error is not None:
                raise execution.error
        finally:
            del execution  # the error leads here: a cycle would keep all it refers to
        return job.id

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Run jobs one after the other; an item that can't be put ends that."""
        bulk: BulkPut[Exception] = BulkPut()
        for body in bulk.sending(bodies):
            bulk.answered(self.put(tube, body, options))
        if bulk.source_error is not None:
            raise bulk.error(bulk.source_error) from bulk.source_error
        return bulk.ids

    def close(self) -> None:
        """End the event loops, and the watch over time limits."""
        for loop in self._idle_loops:
            loop.close()
        self._limits.close()

    @contextmanager
    def _idle_loop(self) -> Iterator[EventLoop]:
        """Lend an event loop: not one that waits for a job which has put this one."""
        try:
            loop = self._idle_loops.pop()
        except IndexError:
            loop = EventLoop()
        yield loop
        self._idle_loops.append(loop)


@dataclass(slots=True)
class _EagerJob:
    """A job that nobody has reserved."""

    id: int
    body: bytes
    tube: str
    options: PutOptions
    began: float = field(default_factory=time.monotonic)

    def touch(self) -> bool:
        return True

    def stats(self) -> JobStats:
        return JobStats(
            tube=self.tube,
            priority=self.options.priority,
            delay=0,
            ttr=self.options.ttr,
            reserves=1,
            releases=0,
            buries=0,
            kicks=0,
        )

    def begins(self, task: Task) -> None: ...

    def limit(self, seconds: float | None) -> None: ...
