"""The arguments of command lines, as beanstalkd 1.13 reads them.

``tests/devserver`` asks beanstalkd and the development server the same.
"""

import re
from dataclasses import dataclass

_MAX_NAME = 200  # bytes
_MAX_I32 = 2**31 - 1
_MAX_U32 = 2**32 - 1
_MAX_U64 = 2**64 - 1

_NUMBER = re.compile(rb" *(\d+)")
_TWO_NUMBERS = re.compile(rb" *(\d+) +(\d+)")
_THREE_NUMBERS = re.compile(rb" *(\d+) +(\d+) +(\d+)")
_PUT = re.compile(rb" *(\d+) +(\d+) +(\d+) +(\d+)(.*)", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z0-9+/;.$_()][A-Za-z0-9+/;.$_()-]*")
_PAUSE = re.compile(rb" *([A-Za-z0-9+/;.$_()-]+) +(\d+)")
_SIGNED = re.compile(rb"[ \t\n\v\f\r]*([+-]?\d+)")  # as C's strtol reads it


class BadFormatError(Exception):
    """The reply to the command is BAD_FORMAT."""


@dataclass(frozen=True, slots=True)
class PutArguments:
    """The numbers of a put; ``rest`` follows the last one, and should be empty."""

    priority: int
    delay: int  # seconds
    ttr: int  # seconds
    size: int  # bytes
    rest: bytes

    @classmethod
    def parse(cls, text: bytes) -> "PutArguments":
        """Read the arguments of a put. Raises :class:`BadFormatError`."""
        found = _PUT.fullmatch(text)
        if not found:
            raise BadFormatError
        priority, delay, ttr, size = map(int, found.groups()[:4])
        if max(priority, delay, ttr, size) > _MAX_U32:
            raise BadFormatError
        return cls(priority, delay, ttr, size, found[5])


def tube_name(text: bytes) -> str:
    """Return a command's only argument, a tube's name."""
    if len(text) > _MAX_NAME or not _NAME.fullmatch(text):
        raise BadFormatError
    return text.decode()


def job_id(text: bytes) -> int:
    """Return a command's only argument, a job's id."""
    found = _NUMBER.fullmatch(text)
    if not found or (number := int(found[1])) > _MAX_U64:
        raise BadFormatError
    return number


def id_and_priority(text: bytes) -> tuple[int, int]:
    """Return the arguments of a bury."""
    number, priority = _id_and_others(_TWO_NUMBERS, text)
    return number, priority


def id_priority_and_delay(text: bytes) -> tuple[int, int, int]:
    """Return the arguments of a release."""
    number, priority, delay = _id_and_others(_THREE_NUMBERS, text)
    return number, priority, delay


def _id_and_others(pattern: re.Pattern[bytes], text: bytes) -> list[int]:
    """Return a job's id, and other numbers, which have 32 bits."""
    found = pattern.fullmatch(text)
    if not found:
        raise BadFormatError
    number, *others = map(int, found.groups())
    if number > _MAX_U64 or max(others) > _MAX_U32:
        raise BadFormatError
    return [number, *others]


def timeout(text: bytes) -> int:
    """Return the seconds of a reserve-with-timeout. More may follow the number."""
    found = _NUMBER.match(text)
    if not found or (seconds := int(found[1])) > _MAX_I32:
        raise BadFormatError
    return seconds


def bound(text: bytes) -> int:
    """Return the bound of a kick. It is cut to 32 bits, so that -1 is nearly all."""
    found = _SIGNED.match(text)
    if not found or abs(int(found[1])) > _MAX_U64:
        raise BadFormatError
    return int(found[1]) & _MAX_U32


def pause(text: bytes) -> tuple[bytes, int]:
    """Return the arguments of a pause-tube: a name, yet to be checked, and seconds."""
    found = _PAUSE.fullmatch(text)
    if not found or int(found[2]) > _MAX_U32:
        raise BadFormatError
    return found[1], int(found[2])
