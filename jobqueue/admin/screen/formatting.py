"""Numbers, times and jobs as short texts."""

import functools
import json
from collections.abc import Sequence

from jobqueue.errors import BadJobError
from jobqueue.job.body import Message, decode

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_MIN_WHOLE_RATE = 100  # rates from here on are shown without decimals
_JSON = json.JSONEncoder(ensure_ascii=False)
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


def printable(text: str) -> str:
    """Return text with control characters escaped: a terminal would obey them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shortened(text: str, width: int) -> str:
    """Return a text cut to a width, with an ellipsis if it is longer."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def message_of(body: bytes) -> Message | None:
    """Return the message in a body; None if the body is not a job of jobqueue."""
    try:
        return decode(body)
    except BadJobError:
        return None


def call(body: bytes) -> str:
    """Return a job's func_name and its arguments, each ``name=value``.

    For a body that is not a job of jobqueue, return a dash and the body.
    """
    message = message_of(body)
    if message is None:
        return f"- {printable(body.decode(errors='backslashreplace'))}"
    arguments = (
        f"{name}={_JSON.encode(value)}" for name, value in message.kwargs.items()
    )
    return printable(" ".join((message.func_name, *arguments)))


def pretty(body: bytes) -> str:
    """Return a body as indented JSON; escaped, if it is not JSON."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return printable(body.decode(errors="backslashreplace"))
    return "\n".join(map(printable, text.splitlines()))
