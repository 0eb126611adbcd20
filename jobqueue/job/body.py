"""The body of a job: encoded from a function's arguments, decoded with every check."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from jobqueue.errors import ArgumentError, BadJobError
from jobqueue.job.values import check_keys, explain, with_plain_numbers

if TYPE_CHECKING:
    from datetime import datetime

_KEYS = frozenset({"func_name", "tube", "kwargs"})
_HEADERS = "headers"  # the fourth key of a job that has some: see headers.py
_SIGNATURE = "signature"  # the last key of a signed job: see signing.py
MAX_DEPTH = 100  # objects and arrays in each other, the body's own object included
_TOO_DEEP = f"nested too deeply, in more than {MAX_DEPTH} levels"
_EXPECTED = 'expected a JSON object with the keys "func_name", "tube" and "kwargs"'


class Message(NamedTuple):
    """One call of a task, as the body of a job says it."""

    func_name: str
    tube: str
    kwargs: dict[str, object]
    headers: dict[str, str]
    max_age: float | None = None  # seconds; None: the body does not say
    due: "datetime | None" = None  # of a periodic task's job


class Encoder:
    """Encodes the bodies of one task's jobs as compact UTF-8 JSON."""

    def __init__(self, func_name: str, tube: str) -> None:
        self._func_name = func_name
        whole = _JSON.encode({"func_name": func_name, "tube": tube, "kwargs": {}})
        self._head = whole.removesuffix("{}}")  # the same for every job of the task

    def encode(self, kwargs: Mapping[str, object]) -> bytes:
        """Return the body of a job with these arguments.

        JSON silently changes some values: tuples become lists, and int, float, bool and
        None keys of a dict become strings. Numbers of numpy, and of enums, become those
        that they are.

        Raises :class:`~jobqueue.errors.ArgumentError` (a ``TypeError``), which names
        the argument that JSON can't carry, or the two keys that JSON would make one.
        """
        try:
            try:
                arguments = _JSON.encode(kwargs)
            except TypeError:  # for numbers of numpy, perhaps
                kwargs = {name: with_plain_numbers(kwargs[name]) for name in kwargs}
                arguments = _JSON.encode(kwargs)
            body = f"{self._head}{arguments}}}".encode()
        except Exception as error:  # the class of a value may raise anything
            raise ArgumentError(explain(self._func_name, kwargs, error)) from error
        if len(body) > _MAX_FLAT and _is_deeper(body, MAX_DEPTH):
            raise ArgumentError(_explain_depth(self._func_name, kwargs))
        # A flat body has no second brace, and its keys are the arguments' names.
        if arguments.find("{", 1) > 0 and _MAY_BE_ONE.search(arguments):
            check_keys(self._func_name, kwargs)
        return body


def with_headers(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a body that has no headers with these, or as it is if there are none."""
    if not headers:
        return body
    return b'%b,"%b":%b}' % (
        body[:-1],
        _HEADERS.encode(),
        _JSON.encode(headers).encode(),
    )


def _no_memory(size: int) -> str:
    return (
        f"this worker's process has not enough memory for the body, of {size} bytes. "
        "Put a reference to such data (a path, a key)"
    )


def _check_dropped(body: bytes) -> None:
    from jobqueue.broker.dropped_body import DroppedBody  # noqa: PLC0415 - rarely needed

    if isinstance(body, DroppedBody):
        raise BadJobError(_no_memory(body.size))


def decode(body: bytes) -> Message:
    """Return the message in the body of a job.

    Raises :class:`~jobqueue.errors.BadJobError` for any bytes that are not a message.
    The error says what was expected, and shows nothing of the body's content.
    """
    try:
        content = _parse(body.decode())
    except UnicodeDecodeError:
        raise BadJobError(f"the body is not UTF-8: {_EXPECTED}") from None
    except RecursionError:
        raise BadJobError(f"the body is {_TOO_DEEP}: {_EXPECTED}") from None
    except MemoryError:
        raise BadJobError(_no_memory(len(body))) from None
    except ValueError as error:  # JSONDecodeError, and integers of too many digits
        if not body:
            _check_dropped(body)
        raise BadJobError(f"the body is not JSON ({error}): {_EXPECTED}") from None
    if len(body) > _MAX_FLAT and _is_deeper(body, MAX_DEPTH):
        raise BadJobError(f"the body is {_TOO_DEEP}: {_EXPECTED}")
    if isinstance(content, dict) and (
        len(content) == len(_KEYS) or _has_optional_keys_only(content)
    ):
        func_name = content.get("func_name")
        tube = content.get("tube")
        kwargs = content.get("kwargs")
        if (
            isinstance(func_name, str)
            and isinstance(tube, str)
            and isinstance(kwargs, dict)
        ):
            if _HEADERS not in content:
                return Message(func_name, tube, kwargs, {})
            from jobqueue.job.headers import read_headers  # noqa: PLC0415 - most have none

            return Message(func_name, tube, kwargs, *read_headers(content[_HEADERS]))
    raise BadJobError(f"{_describe(content)}: {_EXPECTED}")


def _has_optional_keys_only(content: dict[str, object]) -> bool:
    """Return whether a body that has more than the three keys may have the others."""
    known = len(_KEYS) + (_HEADERS in content)
    return len(content) == known + (type(content.get(_SIGNATURE)) is str)


def _parse(text: str) -> object:
    """Return the content of JSON, by a short cut for bodies that jobqueue wrote."""
    if text.startswith("{"):
        content, end = _DECODER.raw_decode(text)
        if end == len(text):
            return content
    return _DECODER.decode(text)


def _is_deeper(text: bytes, levels: int) -> bool:
    """Return whether JSON has objects and arrays in each other in more levels.

    Python's own bound differs between its versions, and depends on how deep the stack
    of the caller is. A worker has to take what a put takes, on any version.
    """
    if text.count(b"{") + text.count(b"[") <= levels:
        return False  # as in nearly every body
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_of_strings = b"".join(text.split(b'"')[::2])
    brackets = outside_of_strings.translate(_SQUARE, _NO_BRACKETS)
    for _ in range(levels):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
        if not brackets:
            return False
    return True


# The end of a key that may have been another one: a number, a bool, or None.
_MAY_BE_ONE = re.compile(
    r'":(?<=[\del]":)(?:(?<=\d":)|(?<="true":)|(?<="false":)|(?<="null":))'
)
_MAX_FLAT = 2 * MAX_DEPTH  # bytes: each level has two brackets
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
)  # made once: json.dumps with options makes an encoder for each call
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
    """Return what is wrong with the content of a body."""
    if not isinstance(content, dict):
        return f"the body is {_json_type(content)} in JSON"
    missing = sorted(_KEYS - content.keys())
    if missing:
        return "the body has no " + " and no ".join(f'"{key}"' for key in missing)
    for key, kind in (("func_name", str), ("tube", str), ("kwargs", dict)):
        if not isinstance(content[key], kind):
            return f'"{key}" is {_json_type(content[key])}, not {_json_type(kind())}'
    return "the body has other keys as well"


def _explain_depth(func_name: str, kwargs: Mapping[str, object]) -> str:
    """Return which argument is nested too deeply."""
    around = MAX_DEPTH - 2  # the body's object, and that of the arguments
    values = ((name, _JSON.encode(value).encode()) for name, value in kwargs.items())
    deepest = next(name for name, value in values if _is_deeper(value, around))
    return f"{func_name}() can't be put: {deepest} is {_TOO_DEEP}"
