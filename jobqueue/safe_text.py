"""Anybody's text, made safe to show: on a terminal, in a text log, and in JSON.

A job's body, an error's text and a broker's reply may hold anything: escape sequences
that a terminal obeys, line separators and carriage returns that make one line look like
two, marks that turn the direction of reading, or megabytes. Each kind of output has one
function here, and all text of others goes through it.
"""

import json
import re
from collections.abc import Callable
from functools import partial

MAX_ERROR = 1_000  # characters of an error in one line
MAX_TRACEBACK = 100_000  # characters

_INDENT = "    "
_MARK = "... ({:,} characters left out) ..."


def one_line(text: str) -> str:
    r"""Return text for one line, with each character escaped that can't be printed.

    >>> one_line("a\nb\x1b[2J")
    'a\\nb\\x1b[2J'
    """
    return text if text.isprintable() else text.translate(_Escapes())


def lines(text: str) -> str:
    """Return text like :func:`one_line`, but with its line breaks."""
    return _escaped(text, keep="\n")


def log_entry(text: str) -> str:
    """Return a formatted log record as an entry that contains no second one.

    An entry begins with the time, so with a digit. Of its further lines (of a message,
    a traceback or a stack) none begins with a digit: such a line is indented.
    """
    if text.isprintable():
        return text  # as nearly always
    first, *others = _escaped(text, keep="\n\t").split("\n")
    return "\n".join(
        [first, *(_INDENT + line if line[:1].isdigit() else line for line in others)]
    )


def body_line(body: bytes) -> str:
    """Return a job's body in one line; JSON stays the same JSON, all of it."""
    text = body.decode(errors="backslashreplace")
    if text.isprintable():
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return one_line(text)
    # In JSON, these can only be between its values.
    return text.translate(str.maketrans("\n\r\t", "   ")).translate(
        _Escapes(_json_escape)
    )


def to_json(value: object, *, is_ascii: bool = False) -> str:
    """Return a value as JSON in one line, which any reader of JSON takes.

    Characters that can't be printed are escaped; with ``is_ascii`` so are all that are
    not ASCII. A float that is infinite becomes ``1e999``, which a reader of JSON takes
    for infinite again; NaN, which JSON can't carry, becomes null.
    """
    encoder = _ASCII_JSON if is_ascii else _JSON
    try:
        text = encoder.encode(value)
    except ValueError:
        text = _without_constants(json.dumps(value, ensure_ascii=is_ascii))
    return json_escaped(text)


def json_escaped(text: str) -> str:
    """Return JSON with each character escaped that can't be printed.

    Line breaks stay: in JSON, they can only be between its values.
    """
    if text.isprintable():
        return text
    return text.translate(_Escapes(_json_escape, keep="\n"))


def indented_json(value: object) -> str:
    """Return a value as JSON in several lines, each of them safe."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return json_escaped(_without_constants(text))


def error_line(text: str) -> str:
    """Return an error's text like :func:`one_line`, and not too long."""
    return one_line(shortened(text, MAX_ERROR))


def error_of(error: BaseException) -> str:
    """Return an error's type and text in one line, even if its own code raises."""
    name = type(error).__name__
    text = text_of(error)
    return error_line(f"{name}: {text}" if text else name)


def text_of(error: BaseException) -> str:
    """Return the first line of an error's text, even if its own code raises."""
    try:
        return error_line(str(error).strip().partition("\n")[0])
    except BaseException:  # noqa: BLE001 - it is the task's own code
        return "(its text can't be shown)"


def shortened(text: str, limit: int) -> str:
    """Return text without its middle, if it is longer than ``limit`` characters."""
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    half = limit // 2
    return f"{text[:half]}{_MARK.format(left_out)}{text[-half:]}"


def _escaped(text: str, keep: str) -> str:
    """Return text with each character escaped that can't be printed, but some kept."""
    others = text
    for char in keep:
        others = others.replace(char, "")
    # Mostly so. Otherwise each character costs a step in Python.
    return text if others.isprintable() else text.translate(_Escapes(keep=keep))


class _Escapes(dict[int, str]):
    """What :meth:`str.translate` puts in place of each character."""

    def __init__(
        self,
        escape: Callable[[str], str] = lambda char: ascii(char)[1:-1],
        keep: str = "",
    ) -> None:
        super().__init__({ord(char): char for char in keep})
        self._escape = escape

    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = result = char if char.isprintable() else self._escape(char)
        return result


def _json_escape(char: str) -> str:
    return json.dumps(char)[1:-1]


# A string, or what Python writes for a float that JSON can't carry.
_without_constants = partial(
    re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN').sub,
    lambda found: {"Infinity": "1e999", "-Infinity": "-1e999", "NaN": "null"}.get(
        found[0], found[0]
    ),
)
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_ASCII_JSON = json.JSONEncoder(allow_nan=False)
