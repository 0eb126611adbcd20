"""Where the broker is, and the decorator that makes tasks for it."""

import functools
import inspect
import sys
from collections.abc import Callable
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from jobqueue.errors import OptionError, TaskDefinitionError
from jobqueue.message import check_tube
from jobqueue.pool import ConnectionPool
from jobqueue.putter import Putter
from jobqueue.subscriber import Place, Task, subscriber

P = ParamSpec("P")
R = TypeVar("R")
A = ParamSpec("A")
T = TypeVar("T")


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

    Raises :class:`~jobqueue.errors.BrokerURLError` for a malformed ``url``.

    >>> queue = JobQueue()
    >>> @queue.task("emails")
    ... def send(to, subject): ...
    >>> send.put(to="ada@example.org", subject="Hello")
    1
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._pool = ConnectionPool(url)

    @classmethod
    @functools.cache
    def default(cls) -> Self:
        """Return the queue that tasks of ``JobQueue.task`` itself belong to."""
        return cls()

    @_MethodOfDefaultToo
    def task(
        self, tube: str, *, max_kicks: int | None = 3
    ) -> Callable[[Callable[P, R]], Putter[P, R]]:
        """Make a function a task, whose jobs go through this tube.

        Called on the class, ``@JobQueue.task("tube")``, it uses the default queue.

        A job that fails is buried, and an operator may kick it. One that fails again
        after ``max_kicks`` kicks is deleted, and its body logged; None buries it each
        time.

        Raises :class:`~jobqueue.errors.TubeNameError`,
        :class:`~jobqueue.errors.OptionError`, and when the function is decorated
        :class:`~jobqueue.errors.TaskDefinitionError` or
        :class:`~jobqueue.errors.DuplicateTaskError`.
        """
        check_tube(tube)
        if max_kicks is not None and (type(max_kicks) is not int or max_kicks < 0):
            raise OptionError(
                f"max_kicks has to be None or a whole number from 0, not {max_kicks!r}"
            )

        def decorate(func: Callable[P, R]) -> Putter[P, R]:
            task = Task(
                tube=tube,
                func_name=_name_of(func),
                func=func,
                broker_url=self._url,
                max_kicks=max_kicks,
                # Where the decorator is, not where the function is: a careless wrapper
                # gives all the functions that it wraps one name and one place.
                place=Place.of(sys._getframe(1)),  # noqa: SLF001
            )
            putter = Putter(func, task, self._pool)
            subscriber.register(task)
            return putter

        return decorate

    def close(self) -> None:
        """Close the open connections; a later put opens a new one."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _name_of(func: object) -> str:
    """Return the function's name, if it can be a task."""
    name = getattr(func, "__name__", None)
    if not callable(func) or not isinstance(name, str):
        raise TaskDefinitionError(
            f"{func!r} can't be a task: only a function, which has a name, can"
        )
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise TaskDefinitionError(
            f"{name}() can't be a task: it is a generator, and calling it runs nothing"
        )
    return name
