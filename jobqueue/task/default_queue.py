"""A method of a class that has a default instance."""

from collections.abc import Callable
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

A = ParamSpec("A")
T = TypeVar("T")


class DefaultQueueMethod(Generic[A, T]):
    """A method that works on the default queue when it is called on the class."""

    def __init__(self, function: Callable[Concatenate[Any, A], T]) -> None:
        self._function = function

    def __get__(self, queue: Any, cls: Any) -> Callable[A, T]:  # noqa: ANN401 - JobQueue is above
        return MethodType(self._function, cls.default() if queue is None else queue)
