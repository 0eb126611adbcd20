"""Putter: what the decorator returns, a function that can be put as well as called."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from jobqueue.broker.checks import Delay
from jobqueue.broker.pool import ConnectionPool
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.redirection import Redirection
from jobqueue.errors import ArgumentError
from jobqueue.job.body import Encoder, with_headers
from jobqueue.job.limit_deferral import give_way_to_limit
from jobqueue.task.definition import Task
from jobqueue.task.function_like import FunctionLike
from jobqueue.task.options import UNSET, Unset
from jobqueue.task.registry import subscriber

if TYPE_CHECKING:
    from jobqueue.task.signature import TaskSignature

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Putter(FunctionLike[P, R_co]):
    """A task: call it to run its function here and now, put it to have a worker run it.

    :meth:`JobQueue.task <jobqueue.JobQueue.task>` makes tasks of functions. A task
    keeps the name, docstring, signature and types of its function, which is
    ``__wrapped__``.
    """

    __slots__ = (
        "_before_put",
        "_bind",
        "_encode",
        "_has_headers",
        "_headers",
        "_options",
        "_origin",
        "_pool",
        "_sign",
        "_task",
        "_tube",
    )

    def __init__(
        self,
        func: Callable[P, R_co],
        task: Task,
        signature: "TaskSignature",
        pool: ConnectionPool,
    ) -> None:
        super().__init__(func)
        self._origin: Self | None = None  # the task that this is a copy of
        self._task = task
        self._tube = task.tube
        self._options = task.options
        self._pool = pool
        self._bind = signature.bind
        self._encode = Encoder(task.func_name, task.tube).encode
        self._sign = task.signing.sign
        self._before_put = task.before_put
        self._headers: Mapping[str, str] = {}
        self._has_headers = self._carries_max_age()

    def put(self, /, *args: P.args, **kwargs: P.kwargs) -> int:
        """Put a job that calls the function with these arguments, and return its id.

        A put takes what a call takes, also of a function that decorators wrap. What
        these take as ``*args, **kwargs`` is checked against the function they wrap.

        Arguments travel by name, as JSON: a tuple arrives as a list, and the keys of a
        dict as strings. Default values are not sent; the worker's code has its own.

        If an idle connection breaks before the broker has confirmed the job, the job is
        put once more, over a new connection: the broker may then have it twice.

        Raises :class:`~jobqueue.errors.ArgumentError` (a ``TypeError``) if the function
        does not take the arguments, or JSON can't carry one;
        :class:`~jobqueue.errors.JobTooBigError` (a ``ValueError``) if the job is larger
        than the broker allows; :class:`~jobqueue.errors.DuplicateTaskError` if the
        lines that made this task have made another one of its name since then, as a
        factory does that runs again; and :class:`~jobqueue.errors.BrokerError` (a
        ``ConnectionError``) if the broker can't be reached, does not answer within 5
        seconds, or takes no jobs.

        >>> task_one.put(arg1="a", arg2="b", arg3="c")
        1
        """
        subscriber.check_current(self._task)
        body = self._body(args, kwargs)
        destination = Redirection.destination or self._pool
        job_id = destination.put(self._tube, body, self._options.put)
        give_way_to_limit()
        return job_id

    async def aput(self, /, *args: P.args, **kwargs: P.kwargs) -> int:
        """Put a job like :meth:`put`, without blocking the event loop.

        Each event loop has one connection, and its puts share that: many that are
        awaited together, as by ``asyncio.gather``, are faster than one after the other.
        A put that is cancelled may have put its job, as a cancelled one is not taken
        back once it is on its way.

        Raises the errors of :meth:`put`. The 5 seconds begin with the call.

        >>> await task_one.aput(arg1="a", arg2="b", arg3="c")
        1
        """
        subscriber.check_current(self._task)
        body = self._body(args, kwargs)
        destination = Redirection.destination or self._pool
        return await destination.aput(self._tube, body, self._options.put)

    def put_many(self, items: Iterable[Mapping[str, object]], /) -> list[int]:
        """Put a job for each item, a dict of arguments, and return the ids in order.

        This is much faster than single puts: hundreds of jobs go out in one write, over
        one connection. Items are taken from the iterable as they are sent, so that a
        generator of millions needs no more memory than their ids.

        Raises :class:`~jobqueue.errors.PutManyError` if an item can't be put, or if the
        iterable raises an error. The PutManyError has the number of that item, and the
        ids of the jobs that were put. Later items are not put, except for some that
        were already on their way. An error before the first item is taken from the
        iterable is raised as :meth:`put` raises it.

        >>> task_one.put_many({"arg1": n, "arg2": "b", "arg3": "c"} for n in range(3))
        [1, 2, 3]
        """
        subscriber.check_current(self._task)
        bodies = self._bodies(items)
        destination = Redirection.destination or self._pool
        ids = destination.put_many(self._tube, bodies, self._options.put)
        give_way_to_limit()
        return ids

    async def aput_many(self, items: Iterable[Mapping[str, object]], /) -> list[int]:
        """Put many jobs like :meth:`put_many`, without blocking the event loop.

        A thread of its own takes the items from the iterable and talks to the broker.
        Cancelling this does not stop the thread. Raises the errors of :meth:`put_many`.

        >>> await task_one.aput_many([{"arg1": "a", "arg2": "b", "arg3": "c"}])
        [1]
        """
        from jobqueue.broker.own_thread import in_own_thread  # noqa: PLC0415 - needs asyncio

        return await in_own_thread(self.put_many, items)

    def options(
        self,
        *,
        delay: Delay | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        ttr: int | None = None,
        headers: Mapping[str, str] | None = None,
        max_age: Delay | Unset | None = UNSET,
    ) -> Self:
        """Return a copy of this task that puts its jobs with other options.

        - ``delay``: the seconds until a worker may take the job, as an int, a float or
          a timedelta; rounded up to whole seconds.
        - ``at``: the same as a point in time, a datetime with a timezone. One in the
          past means now.
        - ``priority``: from 0, the most urgent, to 4294967295.
        - ``ttr``: the seconds, at least 1, after which beanstalkd gives the job to
          another worker if the first one has frozen or is cut off.
        - ``headers``: a dict of strings that travel with the job, beside its arguments,
          at most 16,384 bytes in all. Their names are those that HTTP takes, and do not
          begin with ``jobqueue-``. The task finds them in ``current_job().headers``.
        - ``max_age``: the seconds after which the job is deleted instead of run, its
          delay not included, or None for no limit: see :meth:`JobQueue.task
          <jobqueue.JobQueue.task>`.

        An option that is not given stays as it is; ``delay`` replaces an ``at``, and
        the other way round.

        Raises :class:`~jobqueue.errors.OptionError` (a ``ValueError``) for an option of
        a wrong type or out of its range, and for ``delay`` together with ``at``.

        >>> task_one.options(delay=60, priority=0).put(arg1="a", arg2="b", arg3="c")
        1
        """
        options = self._options.merged(
            delay=delay, at=at, priority=priority, ttr=ttr, max_age=max_age
        )
        if headers is None:
            headers = self._headers
        else:
            from jobqueue.job.headers import check_headers  # noqa: PLC0415 - most have none

            headers = check_headers(headers)
        return self._with_options(options.put, options.max_age, headers)

    def __reduce__(self) -> str | tuple[object, ...]:
        """Pickle by name, as functions are, for process pools and spawned processes."""
        if self._origin is None:
            return self.__qualname__
        options = self._options.put, self._options.max_age, self._headers
        return Putter._with_options, (self._origin, *options)

    def _with_options(
        self, put: PutOptions, max_age: int | None, headers: Mapping[str, str]
    ) -> Self:
        """Return a copy of this task that puts its jobs with other options."""
        other = object.__new__(type(self))
        other._follow(self)
        other._origin = self._origin or self
        other._options = self._options._replace(put=put, max_age=max_age)
        other._headers = headers
        other._has_headers = bool(headers) or other._carries_max_age()
        return other

    def _follow(self, newer: Self) -> None:
        """Become the newer version of this task, after a reload of its module."""
        self._become(newer)
        for name in Putter.__slots__:
            setattr(self, name, getattr(newer, name))

    def __repr__(self) -> str:
        return f"<task {self._task.func_name} in tube {self._task.tube}>"

    def _body(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bytes:
        kwargs = self._bind(args, kwargs)
        body = self._encode(kwargs)
        if self._before_put or self._has_headers:
            body = self._with_headers(body, kwargs)
        return self._sign(body)

    def _with_headers(self, body: bytes, kwargs: Mapping[str, object]) -> bytes:
        """Return a body with a job's headers; calls the hooks that may add some."""
        from jobqueue.job.headers import (  # noqa: PLC0415 - most jobs have none
            MAX_AGE,
            NO_MAX_AGE,
            NewJob,
            check_headers,
        )

        headers = dict(self._headers)
        name, tube = self._task.func_name, self._tube
        job = NewJob(name, tube, MappingProxyType(kwargs), headers)
        for hook in self._before_put:
            hook(job)
        headers = check_headers(headers)
        if self._carries_max_age():
            max_age = self._options.max_age
            age = None if max_age is None else max_age + self._options.put.delay_now()
            headers[MAX_AGE] = NO_MAX_AGE if age is None else str(age)
        return with_headers(body, headers)

    def _carries_max_age(self) -> bool:
        """Return whether jobs say how old they may get, their delay included.

        Else their worker knows: it has the task's ``max_age``, and no job is delayed.
        """
        put, max_age = self._options.put, self._options.max_age
        is_delayed = put.delay > 0 or put.at is not None
        is_other = max_age != self._task.options.max_age
        return is_other or (max_age is not None and is_delayed)

    def _bodies(self, items: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
        if not isinstance(items, Iterable):
            kind = type(items).__name__
            raise ArgumentError(f"put_many takes an iterable of dicts, not {kind}")
        return map(self._body_of_item, items)

    def _body_of_item(self, item: Mapping[str, object]) -> bytes:
        if not isinstance(item, Mapping):
            kind = type(item).__name__
            raise ArgumentError(f"an item has to be a dict of arguments, not {kind}")
        return self._body((), dict(item))
