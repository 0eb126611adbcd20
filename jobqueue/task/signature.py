"""TaskSignature: which functions can be tasks, and which arguments fit one.

Imported lazily by the decorator, to keep ``inspect`` out of ``import jobqueue``.
"""

import functools
import inspect
from collections.abc import Callable, Mapping

from jobqueue.errors import ArgumentError, TaskDefinitionError
from jobqueue.task.parameters import signature_of_call

_OPTIONS_OF_A_PUT = {"delay", "at", "priority", "ttr", "headers", "max_age"}
_BY_NAME = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class TaskSignature:
    """The name and the parameters of a task's function.

    Raises :class:`~jobqueue.errors.TaskDefinitionError` for a function that can't be a
    task.
    """

    def __init__(self, func: Callable[..., object]) -> None:
        self.func_name = _name_of(func)
        try:
            self._signature = signature_of_call(func)
        except ValueError as error:
            raise TaskDefinitionError(f"{func!r} can't be a task: {error}") from None
        self._refuse_method(func)
        self._names, self._required = self._argument_names()

    def bind(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Return the arguments of a call by name.

        Raises :class:`~jobqueue.errors.ArgumentError` if the call would raise a
        TypeError, and for positional arguments that have no name.
        """
        if not args and self._required <= kwargs.keys() <= self._names:
            return kwargs
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(self._misfit(kwargs, error)) from None
        return self._by_name(bound.arguments)

    def check_periodic(self) -> None:
        """Raise TaskDefinitionError if a call without arguments does not fit."""
        try:
            self._signature.bind()
        except TypeError as error:
            raise TaskDefinitionError(
                f"{self.func_name}() can't be a periodic task: it is put without "
                f"arguments, and it is {self.func_name}{self._signature} ({error}). "
                "Give each parameter a default value."
            ) from None

    def _refuse_method(self, func: Callable[..., object]) -> None:
        outer, _, _ = str(getattr(func, "__qualname__", "")).rpartition(".")
        first = next(iter(self._signature.parameters), None)
        if outer and not outer.endswith("<locals>") and first in {"self", "cls"}:
            raise TaskDefinitionError(
                f"{self.func_name}() can't be a task: it is a method of {outer}, and a "
                "job has no object to call it on. Let the task be a function that "
                "finds the object."
            )

    def _argument_names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the names of all arguments, and those of the required ones."""
        names, required = set(), set()
        for name, parameter in self._signature.parameters.items():
            is_required = parameter.default is parameter.empty
            if parameter.kind in _BY_NAME:
                names.add(name)
                if is_required:
                    required.add(name)
            elif parameter.kind is parameter.POSITIONAL_ONLY and is_required:
                raise TaskDefinitionError(
                    f"{self.func_name}() can't be a task: a job carries its arguments "
                    f"by name, and {name!r} is positional-only"
                )
        return frozenset(names), frozenset(required)

    def _misfit(self, kwargs: Mapping[str, object], error: TypeError) -> str:
        """Return what is wrong with a call, in the words of the call's own error."""
        parameters = self._signature.parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        unknown = [name for name in kwargs if name not in parameters]
        name = self.func_name
        if unknown and not takes_any:  # signature.bind would name missing ones first
            problem = f"got an unexpected keyword argument {unknown[0]!r}"
        else:
            problem = str(error)
        hint = ""
        if unknown and not takes_any and unknown[0] in _OPTIONS_OF_A_PUT:
            option = f"{unknown[0]}=..."
            hint = f" (an option of the put? Call {name}.options({option}).put(...))"
        return f"{name}() {problem}: its arguments are {name}{self._signature}{hint}"

    def _by_name(self, arguments: Mapping[str, object]) -> dict[str, object]:
        by_name: dict[str, object] = {}
        for name, value in arguments.items():
            kind = self._signature.parameters[name].kind
            if kind in _BY_NAME:
                by_name[name] = value
            elif kind is inspect.Parameter.VAR_KEYWORD and isinstance(value, dict):
                by_name.update(value)
            else:
                raise ArgumentError(
                    f"{self.func_name}() can't be put with positional "
                    f"arguments for {name!r}: a job carries arguments by name"
                )
        return by_name


def innermost(func: Callable[..., object]) -> Callable[..., object]:
    """Return a function without the decorators that wrap it."""
    inner: Callable[..., object] = inspect.unwrap(func)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    return inner


def check_hook(hook: object) -> None:
    """Raise TaskDefinitionError for a hook that is not a generator function."""
    if not inspect.isgeneratorfunction(hook):
        raise TaskDefinitionError(
            f"{hook!r} can't be called around jobs: it has to be a function that "
            "takes the job, and yields once (and not an async one)"
        )


def check_plain_hook(hook: object, when: str, *what: str) -> None:
    """Raise TaskDefinitionError for a hook that is not a function that runs at once.

    It is called ``when``, with ``what``, as the error says.
    """
    deferred = inspect.iscoroutinefunction, inspect.isgeneratorfunction
    if (
        not callable(hook)
        or any(is_deferred(hook) for is_deferred in deferred)
        or not _takes(hook, len(what))
    ):
        raise TaskDefinitionError(
            f"{hook!r} can't be called {when}: it has to be a function that takes "
            f"{' and '.join(what)} (and neither an async one nor a generator)"
        )


def _takes(hook: Callable[..., object], count: int) -> bool:
    """Return whether a function can be called with so many arguments."""
    try:
        inspect.signature(hook).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # one of C, perhaps, that does not tell
        return True
    return True


def _qualified_name_of(descriptor: object) -> str:
    """Return the name of the function in a classmethod or a property."""
    names = ("__func__", "fget", "func")
    found = [getattr(descriptor, name, None) for name in names]
    function = next((function for function in found if function), descriptor)
    return str(getattr(function, "__qualname__", function))


def _name_of(func: object) -> str:
    """Return the name of a function. Raises TaskDefinitionError for anything else."""
    name = str(getattr(func, "__name__", ""))
    if isinstance(func, classmethod | property | functools.cached_property):
        kind = type(func).__name__
        raise TaskDefinitionError(
            f"{_qualified_name_of(func)} can't be a task: it is a {kind}, and a job "
            "has no class or object to call it on. Let the task be a function, or a "
            "staticmethod, that finds it."
        )
    if not callable(func) or isinstance(func, type) or not name.isidentifier():
        raise TaskDefinitionError(
            f"{func!r} can't be a task: only a function that has a name can"
        )
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise TaskDefinitionError(
            f"{name}() can't be a task: it is a generator, and calling it runs nothing"
        )
    return name
