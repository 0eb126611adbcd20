"""The parameters of a call that goes through decorators: which arguments it takes."""

import functools
import inspect
import sys
from collections.abc import Callable
from inspect import Parameter, Signature
from types import FunctionType, MethodType
from typing import Any

from jobqueue.task.function_like import FunctionLike

_POSITIONAL = {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}


def signature_of_call(func: Callable[..., Any]) -> Signature:
    """Return what a call of a function takes.

    ``inspect.signature`` has the parameters of the innermost function, whatever wraps
    it. This has those of the outermost one. Only what a wrapper takes as ``**kwargs``,
    and as ``*args``, is taken to be passed on to the function that it wraps.

    Raises ValueError if a function does not say what it takes.
    """
    if isinstance(func, FunctionLike):
        return signature_of_call(func.__wrapped__)
    if isinstance(func, functools.partial):
        part = functools.partial(_stand_in(func.func), *func.args, **func.keywords)
        return _signature(part)
    if isinstance(func, MethodType):
        return _signature(MethodType(_stand_in(func.__func__), func.__self__))
    wrapped = getattr(func, "__wrapped__", None)
    if wrapped is None:
        return _signature(func)
    own = _own_signature(func, wrapped)
    if own and not _takes_more(own):
        return own
    inner = _without_mocks(func, signature_of_call(wrapped))
    return _passed_on(own, inner) if own else inner


def _signature(func: Callable[..., Any]) -> Signature:
    """Return a function's own signature, not that of a function that it wraps."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # noqa: PLC0415 - new in Python 3.14

        # An annotation may be defined for type checkers only.
        return inspect.signature(
            func, follow_wrapped=False, annotation_format=Format.FORWARDREF
        )
    return inspect.signature(func, follow_wrapped=False)


def _stand_in(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes what a call of another one takes."""

    def stand_in() -> None: ...

    stand_in.__signature__ = signature_of_call(func)  # type: ignore[attr-defined]
    return stand_in


def _own_signature(
    func: Callable[..., Any], wrapped: Callable[..., Any]
) -> Signature | None:
    """Return the signature of a wrapper itself; None if it does not say."""
    given = getattr(func, "__signature__", None)
    if given is not None and given is getattr(wrapped, "__signature__", None):
        # functools.wraps has copied it, with the other attributes of the function.
        if not isinstance(func, FunctionType):
            return None
        bare = FunctionType(
            func.__code__, {}, func.__name__, func.__defaults__, func.__closure__
        )
        bare.__kwdefaults__ = func.__kwdefaults__
        return _signature(bare)
    try:
        return _signature(func)
    except ValueError:  # functools.cache, for one
        return None


def _takes_more(signature: Signature) -> bool:
    """Return whether a function takes keyword arguments of any name."""
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    return Parameter.VAR_KEYWORD in kinds


def _passed_on(own: Signature, inner: Signature) -> Signature:
    """Return what a wrapper takes that has ``**kwargs``.

    If the wrapper's positional parameters are not the first ones of the function that
    it wraps, it may pass on anything else, and only its own signature counts.
    """
    mine = list(own.parameters.values())
    first = [parameter for parameter in mine if parameter.kind in _POSITIONAL]
    added = [p for p in mine if p.kind is Parameter.KEYWORD_ONLY]
    theirs = list(inner.parameters.values())
    rest = theirs[len(first) :]
    if [p.name for p in first] != [p.name for p in theirs[: len(first)]]:
        return own
    if not any(p.kind is Parameter.VAR_POSITIONAL for p in mine):
        rest = [
            p.replace(kind=Parameter.KEYWORD_ONLY) if p.kind in _POSITIONAL else p
            for p in rest
            if p.kind not in {Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL}
        ]
    names = {p.name for p in added}
    parameters = [*first, *(p for p in rest if p.name not in names), *added]
    parameters.sort(key=lambda parameter: parameter.kind)
    try:
        return inner.replace(parameters=parameters)
    except ValueError:  # one with a default before one without
        return own


def _without_mocks(func: Callable[..., Any], inner: Signature) -> Signature:
    """Return a signature without the arguments that ``mock.patch`` supplies."""
    patchings = getattr(func, "patchings", None)
    if not isinstance(patchings, list):
        return inner
    default = sys.modules["unittest.mock"].DEFAULT
    supplied = [patching for patching in patchings if patching.new is default]
    by_name = {patching.attribute_name for patching in supplied} - {None}
    parameters = list(inner.parameters.values())
    parameters = parameters[sum(p.attribute_name is None for p in supplied) :]
    return inner.replace(parameters=[p for p in parameters if p.name not in by_name])
