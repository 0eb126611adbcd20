"""Where the broker is, and the decorator that makes tasks for it."""

import functools
import sys
from collections.abc import Callable
from datetime import datetime
from types import FrameType, MethodType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Self,
    TypeVar,
)

from jobqueue.broker.checks import Delay, check_tube
from jobqueue.broker.pool import ConnectionPool
from jobqueue.errors import TaskDefinitionError
from jobqueue.job.backoff import Backoff
from jobqueue.job.outcome import RetryOn
from jobqueue.job.signing import Secret, Signing
from jobqueue.task.definition import SourceLocation, Task
from jobqueue.task.options import UNSET, TaskOptions, Unset
from jobqueue.task.putter import Putter
from jobqueue.task.registry import subscriber

if TYPE_CHECKING:
    from jobqueue.job.context import Around

P = ParamSpec("P")
R = TypeVar("R")
A = ParamSpec("A")
T = TypeVar("T")
H = TypeVar("H", bound="Around")


class _MethodOfDefaultToo(Generic[A, T]):
    """A method that, called on the class, works on the default queue."""

    def __init__(self, function: Callable[Concatenate[Any, A], T]) -> None:
        self._function = function

    def __get__(
        self, queue: "JobQueue | None", cls: type["JobQueue"]
    ) -> Callable[A, T]:
        return MethodType(self._function, cls.default() if queue is None else queue)


class JobQueue:
    """A beanstalkd, as producers and the decorated functions see it.

    ``url`` is ``beanstalkd://host[:port]`` or ``unix:///path/to.sock``. Without one,
    ``$BEANSTALKD_URL`` counts, and without that ``beanstalkd://127.0.0.1:11300``; both
    are looked up at the first put. Nothing is connected before that.

    Safe to share between threads, and to use after a fork. Connections stay open
    between puts; :meth:`close`, or the end of a ``with`` block, closes them.

    With a ``secret`` the jobs are signed, and workers bury those of the queue's tasks
    that are not. It is a str or bytes, of 16 bytes at least. Of several, in a list or
    between whitespace, the first one signs, and all are accepted. Without one,
    ``$JOBQUEUE_SECRET`` counts: it is looked up at the first put, and when a worker
    starts. If there is none either, jobs are not signed.

    The other options are those of :meth:`task`, for all tasks of the queue that don't
    say otherwise.

    Raises :class:`~jobqueue.errors.BrokerURLError` for a malformed ``url``, and
    :class:`~jobqueue.errors.OptionError`.

    >>> queue = JobQueue(retries=3)
    >>> @queue.task("emails")
    ... def send(to, subject): ...
    >>> send.put(to="ada@example.org", subject="Hello")
    1
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        secret: Secret | None = None,
        delay: Delay | None = None,
        priority: int | None = None,
        ttr: int | None = None,
        retries: int | None = None,
        retry_on: RetryOn | None = None,
        backoff: Backoff | None = None,
        max_kicks: int | Unset | None = UNSET,
        max_lost: int | Unset | None = UNSET,
        time_limit: float | None = None,
    ) -> None:
        self._url = url
        self._pool = ConnectionPool(url)
        self._signing = Signing(secret)
        self._around: list[Around] = []
        self._options = TaskOptions().merged(
            delay=delay,
            priority=priority,
            ttr=ttr,
            retries=retries,
            retry_on=retry_on,
            backoff=backoff,
            max_kicks=max_kicks,
            max_lost=max_lost,
            time_limit=time_limit,
        )

    @classmethod
    @functools.cache
    def default(cls) -> Self:
        """Return the queue that tasks of ``JobQueue.task`` itself belong to."""
        return cls()

    @_MethodOfDefaultToo
    def task(
        self,
        tube: str,
        *,
        delay: Delay | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        ttr: int | None = None,
        retries: int | None = None,
        retry_on: RetryOn | None = None,
        backoff: Backoff | None = None,
        max_kicks: int | Unset | None = UNSET,
        max_lost: int | Unset | None = UNSET,
        time_limit: float | Unset | None = UNSET,
    ) -> Callable[[Callable[P, R]], Putter[P, R]]:
        """Make a function a task, whose jobs go through this tube.

        Called on the class, ``@JobQueue.task("tube")``, it uses the default queue.

        ``delay``, ``at``, ``priority`` and ``ttr`` are what its jobs are put with,
        unless :meth:`Putter.options <jobqueue.Putter.options>` says otherwise.

        A job that fails is tried again up to ``retries`` times (0), if its error is of
        one of the classes ``retry_on`` (any). Before a retry it waits for as long as
        ``backoff`` says: a number of seconds or a timedelta, a sequence of these, of
        which the last holds for all further retries, or a function of the retry's
        number, from 1. By default it is up to 1 s, 2 s, 4 s, and so on up to an hour,
        of which chance takes a part.

        Then it is buried, and an operator may kick it, which grants the limits anew.
        One that fails again after ``max_kicks`` kicks (3) is deleted, and its body
        logged; None buries it each time. One whose worker crashed, froze or was killed
        while it ran, ``max_lost`` times (3), is buried before it runs again; None runs
        it however often.

        A job that runs for more than ``time_limit`` seconds fails with
        :class:`~jobqueue.errors.TimeLimitExceeded`, raised inside of it. None: it may
        run for as long as it likes, unless the worker has a limit for all.

        What is not given here is as the queue has it.

        Raises :class:`~jobqueue.errors.TubeNameError`,
        :class:`~jobqueue.errors.OptionError`, and when the function is decorated
        :class:`~jobqueue.errors.TaskDefinitionError` or
        :class:`~jobqueue.errors.DuplicateTaskError`.
        """
        if callable(tube):
            raise TaskDefinitionError(
                'task needs the name of a tube, as in @queue.task("emails")'
            )
        check_tube(tube)
        options = self._options.merged(
            delay=delay,
            at=at,
            priority=priority,
            ttr=ttr,
            retries=retries,
            retry_on=retry_on,
            backoff=backoff,
            max_kicks=max_kicks,
            max_lost=max_lost,
            time_limit=time_limit,
        )

        def decorate(func: Callable[P, R]) -> Putter[P, R]:
            return self._register(func, tube, options, sys._getframe(1))  # noqa: SLF001

        return decorate

    def _register(
        self, func: Callable[P, R], tube: str, options: TaskOptions, caller: FrameType
    ) -> Putter[P, R]:
        """Make a function a task, which the frame of ``caller`` decorates."""
        from jobqueue.task.signature import TaskSignature, code_of  # noqa: PLC0415 - see there

        signature = TaskSignature(func)
        task = Task(
            tube=tube,
            func_name=signature.func_name,
            func=func,
            options=options,
            broker_url=self._url,
            around=self._around,
            signing=self._signing,
            # Where the decorator is as well as where the function is from: careless
            # wrappers give all functions one origin, and helpers one decorator.
            location=SourceLocation.of(caller, func, code_of(func)),
        )
        putter = Putter(func, task, signature, self._pool)
        subscriber.register(task)
        return putter

    @_MethodOfDefaultToo
    def around(self, hook: H) -> H:
        """Call a generator function around every job of this queue, in the worker.

        It gets the :class:`~jobqueue.Job`, and yields once. What is before the yield
        runs before the task, what is after it runs afterwards; a failure is raised at
        the yield. Several nest: the first one given is the outermost. An error of the
        hook's own is the job's failure; but a failure stays one, also if the hook
        catches it and raises nothing. They run in the slot's thread, not on the event
        loop, and a time limit does not count for them.

        Raises :class:`~jobqueue.errors.TaskDefinitionError` for anything else than a
        generator function.

        >>> @queue.around
        ... def timed(job):
        ...     started = time.monotonic()
        ...     try:
        ...         yield
        ...     finally:
        ...         print(job.func_name, time.monotonic() - started)
        """
        from jobqueue.task.signature import check_hook  # noqa: PLC0415 - see there

        check_hook(hook)
        self._around.append(hook)
        return hook

    def close(self) -> None:
        """Close the open connections; a later put opens a new one."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
