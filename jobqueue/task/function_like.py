"""FunctionLike: a callable object that other code takes for the function it stands for.

Frameworks, documentation tools and debuggers ask how to call a function, whether it has
to be awaited, and where it is. Most of them look for what functions have, not for their
type.
"""

import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from types import CodeType

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class FunctionLike(Generic[P, R_co]):
    """An object that calls a function, and has all that the function has.

    Attributes of the function are this object's as well, but for those that have the
    name of a method of this object. The function is ``__wrapped__``.
    """

    __slots__ = ("__dict__", "__weakref__", "_call")

    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, R_co]

    def __init__(self, func: Callable[P, R_co]) -> None:
        functools.update_wrapper(self, func)
        for name in [name for name in self.__dict__ if _is_own(type(self), name)]:
            del self.__dict__[name]
        self._call = func

    if TYPE_CHECKING:

        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
            """Run the function here and now."""
            return self._call(*args, **kwargs)

    else:
        # The function itself: mock's autospec has its signature, and a traceback no
        # line of ours.
        __call__ = property(operator.attrgetter("_call"))

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        """Return this object: as the attribute of a class, it is bound to nothing.

        Having this method makes it a routine for ``inspect``: Sphinx, ``help()`` and
        doctest find it then.
        """
        return self

    # Python 3.11's iscoroutinefunction knows what these attributes say, and only that.

    @property
    def __code__(self) -> "CodeType":
        code: CodeType = self._plain_function.__code__
        return code

    @property
    def __defaults__(self) -> tuple[object, ...] | None:
        defaults: tuple[object, ...] | None = self._plain_function.__defaults__
        return defaults

    @property
    def __kwdefaults__(self) -> dict[str, object] | None:
        defaults: dict[str, object] | None = self._plain_function.__kwdefaults__
        return defaults

    @property
    def __globals__(self) -> dict[str, object]:
        names: dict[str, object] = self._plain_function.__globals__
        return names

    @property
    def _plain_function(self) -> Any:  # noqa: ANN401 - it may lack any of these attributes
        func: object = self._call
        while isinstance(func, functools.partial):
            func = func.func
        return func

    def _become(self, other: Self) -> None:
        """Stand for the function of another object, with all that it has."""
        self._call = other._call
        self.__dict__.clear()
        self.__dict__.update(other.__dict__)


def _is_own(kind: type, name: str) -> bool:
    """Return whether a class defines an attribute that is not special."""
    return not name.startswith("__") and hasattr(kind, name)
