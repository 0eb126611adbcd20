"""What a decorated function becomes: it still can be called, and it can be put."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Generic, ParamSpec, Self, TypeVar

from jobqueue.broker.checks import Delay
from jobqueue.broker.pool import ConnectionPool
from jobqueue.broker.redirection import Redirection
from jobqueue.errors import ArgumentError
from jobqueue.job.body import Encoder
from jobqueue.task.definition import Task

if TYPE_CHECKING:
    from jobqueue.task.signature import TaskSignature

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
A = ParamSpec("A")
T = TypeVar("T")


class Putter(Generic[P, R_co]):
    """A task: call it to run the function here and now, or put it for a worker.

    Made by :meth:`JobQueue.task <jobqueue.JobQueue.task>`. It keeps the function's
    name, docstring, signature and types; the function itself is ``__wrapped__``.
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, R_co]

    def __init__(
        self,
        func: Callable[P, R_co],
        task: Task,
        signature: "TaskSignature",
        pool: ConnectionPool,
    ) -> None:
        functools.update_wrapper(self, func)
        self._task = task
        self._tube = task.tube
        self._options = task.options
        self._pool = pool
        self._call = func
        self._bind = signature.bind
        self._encode = Encoder(task.func_name, task.tube).encode
        self._sign = task.signing.sign

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the function here and now."""
        return self._call(*args, **kwargs)

    def put(self, /, *args: P.args, **kwargs: P.kwargs) -> int:
        """Put a job that calls the function with these arguments; return its id.

        The arguments travel by name and as JSON: tuples arrive as lists, and the keys
        of a dict as strings. Defaults are not sent: those of the worker's code hold.

        If the connection breaks after the job was sent, nobody can tell whether it was
        taken. It is put once more then, so the job may be there twice.

        Raises :class:`~jobqueue.errors.ArgumentError` (a ``TypeError``) for arguments
        that the function does not take, and for one that JSON can't carry;
        :class:`~jobqueue.errors.JobTooBigError` if the broker finds the job too big;
        and :class:`~jobqueue.errors.BrokerError` (a ``ConnectionError``) if the broker
        can't be reached, does not answer within 5 seconds, or takes no jobs.

        >>> task_one.put(arg1="a", arg2="b", arg3="c")
        1
        """
        body = self._body(args, kwargs)
        destination = Redirection.destination or self._pool
        return destination.put(self._tube, body, self._options.put)

    async def aput(self, /, *args: P.args, **kwargs: P.kwargs) -> int:
        """Put a job like :meth:`put`, without blocking the event loop.

        The broker is talked to in a thread of the loop's default executor. Cancelling
        does not take a job back that is on its way.

        >>> await task_one.aput(arg1="a", arg2="b", arg3="c")
        1
        """
        body = self._body(args, kwargs)  # here and now: a mistake needs no thread
        destination = Redirection.destination or self._pool
        return await _in_thread(destination.put, self._tube, body, self._options.put)

    def put_many(self, items: Iterable[Mapping[str, object]], /) -> list[int]:
        """Put a job for each item, a dict of arguments; return the ids in order.

        Much faster than one by one: hundreds of jobs go out in one write, over one
        connection. The items are taken from the iterable as they are sent, so a
        generator of millions costs no more memory than its ids.

        Raises :class:`~jobqueue.errors.PutManyError` for an item that can't be put, or
        an error of the iterable itself. It says which item it was, and has the ids of
        those that were put; no later item is, but for some that were on their way. If
        no item was taken from the iterable yet, raises the errors of :meth:`put`.

        >>> task_one.put_many({"arg1": n, "arg2": "b", "arg3": "c"} for n in range(3))
        [1, 2, 3]
        """
        bodies = self._bodies(items)
        destination = Redirection.destination or self._pool
        return destination.put_many(self._tube, bodies, self._options.put)

    async def aput_many(self, items: Iterable[Mapping[str, object]], /) -> list[int]:
        """Put many jobs like :meth:`put_many`, without blocking the event loop.

        A thread takes the items from the iterable.
        """
        return await _in_thread(self.put_many, items)

    def options(
        self,
        *,
        delay: Delay | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        ttr: int | None = None,
    ) -> Self:
        """Return a task that puts with these options; this one stays as it is.

        ``delay``: seconds, as an int, a float or a timedelta, until a worker may have
        the job; rounded up to whole seconds. ``at``: the same as a point in time, a
        datetime with a timezone; one in the past is now. ``priority``: from 0, the most
        urgent, to 4294967295; usually 65536. ``ttr``: for how many seconds, at least 1
        and usually 60, a worker may keep the job to itself. What is not given stays as
        it was.

        Raises :class:`~jobqueue.errors.OptionError` (a ``ValueError``).

        >>> task_one.options(delay=60, priority=0).put(arg1="a", arg2="b", arg3="c")
        1
        """
        options = self._options.merged(delay=delay, at=at, priority=priority, ttr=ttr)
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _options=options)
        return other

    def __reduce__(self) -> str:
        """Pickle by name, as functions are: for a process pool, or spawn."""
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<task {self._task.func_name} in tube {self._task.tube}>"

    def _body(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bytes:
        return self._sign(self._encode(self._bind(args, kwargs)))

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


async def _in_thread(call: Callable[A, T], /, *args: A.args, **kwargs: A.kwargs) -> T:
    import asyncio  # noqa: PLC0415 - slow to import, and most producers don't need it

    return await asyncio.to_thread(call, *args, **kwargs)
