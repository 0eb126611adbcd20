"""Numbers, times and jobs as short texts."""

import functools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NoReturn

from jobqueue.job.note import FailureNote
from jobqueue.operating.record import JobRecord
from jobqueue.safe_text import body_line, indented_json, one_line, to_json

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_MIN_WHOLE_RATE = 100  # rates from here on are shown without decimals
_BARS = "▁▂▃▄▅▆▇█"


@functools.lru_cache(maxsize=1024)
def duration(seconds: int) -> str:
    """Return a time in its two largest units.

    >>> duration(93784)
    '1d 2h'
    """
    if seconds < 0:
        return f"-{duration(-seconds)}"
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return " ".join(filter(None, parts[:2])) or "0s"


@functools.lru_cache(maxsize=1024)
def brief(seconds: int) -> str:
    """Return a time in its largest unit."""
    return duration(seconds).partition(" ")[0]


def ago(moment: datetime) -> str:
    """Return how long ago a moment was, in its largest unit."""
    return brief(max(0, round((datetime.now(UTC) - moment).total_seconds())))


def error(failure: FailureNote) -> str:
    """Return the class and the text of an error in one line."""
    return one_line(f"{failure.error}: {failure.error_text}".removesuffix(": "))


def size(count: int) -> str:
    """Return a number of bytes, in KiB or MiB if it is a whole number of them."""
    for unit, factor in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor and count % factor == 0:
            return f"{count // factor} {unit}"
    return f"{count:,} bytes"


def number_of(count: int, noun: str) -> str:
    """Return a count and its noun.

    >>> number_of(1, "job")
    '1 job'
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def rate(per_second: float | None) -> str:
    """Return a rate, with one decimal if it is below 100; a dash if it is None."""
    if per_second is None:
        return "-"
    return f"{per_second:,.{1 if 0 < per_second < _MIN_WHOLE_RATE else 0}f}"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the last values as bars, the highest for the largest value.

    A 0 is a dot, to tell it from a small value.
    """
    shown = values[-width:]
    largest = max(shown, default=0)
    bars = (
        _BARS[min(7, int(8 * value / largest))] if value > 0 else "·" for value in shown
    )
    return "".join(bars).rjust(width)


def shortened(text: str, width: int) -> str:
    """Return a text cut to a width, with an ellipsis if it is longer."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def call(job: JobRecord) -> str:
    """Return a job's func_name and its arguments, each ``name=value``.

    For a body that is not a job of jobqueue, return a dash and the body.
    """
    message = job.message
    if message is None:
        return f"- {body_line(job.body)}"
    arguments = (
        f"{name_of(name)}={to_json(value)}" for name, value in message.kwargs.items()
    )
    return " ".join((name_of(message.func_name), *arguments))


def name_of(name: str) -> str:
    """Return a name as it is in Python, or else as a string of JSON."""
    return name if name.isidentifier() else to_json(name)


def pretty(body: bytes) -> str:
    """Return a body as indented JSON.

    A body that is no JSON, or that has a key twice, is shown as it is, escaped.
    """
    try:
        return indented_json(
            json.loads(
                body, object_pairs_hook=_different_keys, parse_constant=_refuse_constant
            )
        )
    except (ValueError, RecursionError):
        return body_line(body)


def _different_keys(items: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(items)
    if len(content) < len(items):
        raise ValueError("a key is there twice")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
