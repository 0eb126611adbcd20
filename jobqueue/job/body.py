"""The job's body: from a function's arguments to bytes, and back with every check."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

from jobqueue.errors import ArgumentError, BadJobError

_KEYS = frozenset({"func_name", "tube", "kwargs"})
_SIGNATURE = "signature"  # a fourth key, if the job is signed: see signing.py
_EXPECTED = 'expected a JSON object with the keys "func_name", "tube" and "kwargs"'


class Message(NamedTuple):
    """One call of a task: what a job's body says."""

    func_name: str
    tube: str
    kwargs: dict[str, object]


class Encoder:
    """Makes the bodies of one task's jobs: compact UTF-8 JSON."""

    def __init__(self, func_name: str, tube: str) -> None:
        self._func_name = func_name
        whole = _JSON.encode({"func_name": func_name, "tube": tube, "kwargs": {}})
        self._head = whole.removesuffix("{}}")  # the same for every job of the task

    def encode(self, kwargs: Mapping[str, object]) -> bytes:
        """Return the body of a job with these arguments.

        JSON changes some values silently: tuples become lists, and the integer, float,
        bool and None keys of a dict become strings.

        Raises :class:`~jobqueue.errors.ArgumentError` (a ``TypeError``) naming the
        argument that JSON can't carry.
        """
        try:
            return f"{self._head}{_JSON.encode(kwargs)}}}".encode()
        except Exception as error:  # values may be of classes that raise anything
            raise ArgumentError(_explain(self._func_name, kwargs, error)) from error


def decode(body: bytes) -> Message:
    """Return the message in a job's body.

    Raises :class:`~jobqueue.errors.BadJobError`, which says what was expected, for
    whatever bytes are not a message. The body's content is never part of the error.
    """
    try:
        content = _parse(body.decode())
    except UnicodeDecodeError:
        raise BadJobError(f"the body is not UTF-8: {_EXPECTED}") from None
    except RecursionError:
        raise BadJobError(f"the body is nested too deeply: {_EXPECTED}") from None
    except ValueError as error:  # JSONDecodeError, and integers of too many digits
        raise BadJobError(f"the body is not JSON ({error}): {_EXPECTED}") from None
    if isinstance(content, dict) and (
        len(content) == len(_KEYS)
        or (len(content) == len(_KEYS) + 1 and type(content.get(_SIGNATURE)) is str)
    ):
        func_name = content.get("func_name")
        tube = content.get("tube")
        kwargs = content.get("kwargs")
        if (
            isinstance(func_name, str)
            and isinstance(tube, str)
            and isinstance(kwargs, dict)
        ):
            return Message(func_name, tube, kwargs)
    raise BadJobError(f"{_describe(content)}: {_EXPECTED}")


def _parse(text: str) -> object:
    """Return what JSON says; a body as jobqueue makes them needs no second look."""
    if text.startswith("{"):
        content, end = _DECODER.raw_decode(text)
        if end == len(text):
            return content
    return _DECODER.decode(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
)  # made once: json.dumps with options makes one for each call
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _describe(content: object) -> str:
    """Say what is wrong with the content of a body."""
    if not isinstance(content, dict):
        return f"the body is {_json_type(content)} in JSON"
    missing = sorted(_KEYS - content.keys())
    if missing:
        return "the body has no " + " and no ".join(f'"{key}"' for key in missing)
    for key, kind in (("func_name", str), ("tube", str), ("kwargs", dict)):
        if not isinstance(content[key], kind):
            return f'"{key}" is {_json_type(content[key])}, not {_json_type(kind())}'
    return "the body has other keys as well"


def _explain(func_name: str, kwargs: Mapping[str, object], error: Exception) -> str:
    """Say which argument it was that made encoding fail."""
    for name, value in kwargs.items():
        try:
            problem = next(_problems(name, value), None)
        except RecursionError:
            problem = f"{name} is nested too deeply, or contains itself"
        except Exception as odd:  # noqa: BLE001 - a value's own code: any at all
            problem = f"{name} raises {type(odd).__name__} when looked at"
        if problem:
            return f"{func_name}() can't be put: {problem}, which JSON can't carry"
    return f"{func_name}() can't be put: {error}"


def _problems(path: str, value: object) -> Iterator[str]:
    """Yield what JSON can't carry in a value, each with the way to it."""
    match value:
        case None | bool():
            pass
        case int() | float() | str():
            yield from _scalar_problems(path, value)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _problems(f"{path}[{index}]", item)
        case dict():
            yield from _dict_problems(path, value)
        case _:
            yield f"{path} is a {type(value).__qualname__}"


def _scalar_problems(path: str, value: float | str) -> Iterator[str]:
    try:
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, float):
            if not math.isfinite(value):
                yield f"{path} is {value}"
        else:
            int.__repr__(value)  # see sys.set_int_max_str_digits
    except UnicodeEncodeError:
        yield f"{path} is a str with a lone surrogate"
    except ValueError:
        yield f"{path} is an int of too many digits"


def _dict_problems(path: str, items: dict[object, object]) -> Iterator[str]:
    for key, value in items.items():
        if isinstance(key, str | int | float | None):
            yield from _problems(f"the key {key!r} of {path}", key)
        else:
            yield f"{path} has a key of type {type(key).__qualname__}"
        yield from _problems(f"{path}[{key!r}]", value)
