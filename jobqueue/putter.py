"""What a decorated function becomes: it still can be called, and it can be put."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Generic, ParamSpec, TypeVar

from jobqueue import message
from jobqueue.errors import TaskDefinitionError
from jobqueue.pool import ConnectionPool
from jobqueue.subscriber import Task

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

_BY_NAME = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class Putter(Generic[P, R_co]):
    """A task: call it to run the function here and now, or put it for a worker.

    Made by :meth:`JobQueue.task <jobqueue.JobQueue.task>`. It keeps the function's
    name, docstring, signature and types; the function itself is ``__wrapped__``.
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, R_co]

    def __init__(
        self, func: Callable[P, R_co], task: Task, pool: ConnectionPool
    ) -> None:
        functools.update_wrapper(self, func)
        self._task = task
        self._pool = pool
        self._call = func
        self._signature = inspect.signature(func)
        self._names, self._required = _argument_names(task.func_name, self._signature)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the function here and now."""
        return self._call(*args, **kwargs)

    def put(self, /, *args: P.args, **kwargs: P.kwargs) -> int:
        """Put a job that calls the function with these arguments; return its id.

        The arguments travel by name and as JSON: tuples arrive as lists, and the keys
        of a dict as strings. Defaults are not sent: those of the worker's code hold.

        If the connection breaks after the job was sent, nobody can tell whether it was
        taken. It is put once more then, so the job may be there twice.

        Raises ``TypeError`` for arguments that the function does not take, and
        :class:`~jobqueue.errors.ArgumentError` (a ``TypeError``) for one that JSON
        can't carry; :class:`~jobqueue.errors.JobTooBigError` if the broker finds it
        so; and :class:`~jobqueue.errors.BrokerError` (a ``ConnectionError``) if the
        broker can't be reached, does not answer within 5 seconds or takes no jobs.

        >>> task_one.put(arg1="a", arg2="b", arg3="c")
        1
        """
        task = self._task
        body = message.encode(task.func_name, task.tube, self._bind(args, kwargs))
        return self._pool.put(task.tube, body)

    def __repr__(self) -> str:
        return f"<task {self._task.func_name} in tube {self._task.tube}>"

    def _bind(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Return the arguments by name; raise TypeError if the call would."""
        if not args and self._required <= kwargs.keys() <= self._names:
            return kwargs
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._task.func_name}() {error}") from None
        return self._by_name(bound.arguments)

    def _by_name(self, arguments: Mapping[str, object]) -> dict[str, object]:
        by_name: dict[str, object] = {}
        for name, value in arguments.items():
            kind = self._signature.parameters[name].kind
            if kind in _BY_NAME:
                by_name[name] = value
            elif kind is inspect.Parameter.VAR_KEYWORD and isinstance(value, dict):
                by_name.update(value)
            else:
                raise TypeError(
                    f"{self._task.func_name}() can't be put with positional "
                    f"arguments for {name!r}: a job carries arguments by name"
                )
        return by_name


def _argument_names(
    func_name: str, signature: inspect.Signature
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that can be given, and those that must be."""
    names, required = set(), set()
    for name, parameter in signature.parameters.items():
        needed = parameter.default is parameter.empty
        if parameter.kind in _BY_NAME:
            names.add(name)
            if needed:
                required.add(name)
        elif parameter.kind is parameter.POSITIONAL_ONLY and needed:
            raise TaskDefinitionError(
                f"{func_name}() can't be a task: a job carries its arguments by name, "
                f"and {name!r} is positional-only"
            )
    return frozenset(names), frozenset(required)
