"""The one parser of what beanstalkd's ``stats`` and ``list`` commands answer.

A reply is YAML: a line of ``---``, then a ``key: value`` or a ``- name`` on each line.
beanstalkd 1.13 puts strings in quotes; 1.12 does so only with its version. The key says
whether a value is a number or a string: a tube named ``007`` stays a name.
"""

import re
from typing import Self

from jobqueue.broker.checks import check_tube
from jobqueue.broker.replies import number_of
from jobqueue.errors import TubeNameError

_MAX_DIGITS = 20  # of the largest number of 64 bits
_SHOWN = 50  # bytes of what makes no sense
_SECONDS = re.compile(rb"\d{1,20}(\.\d{1,20})?")


def parse_names(chunk: bytes) -> list[str]:
    """Return the names in a reply to ``list-tubes``. Raises ``ValueError``."""
    head, *lines = chunk.removesuffix(b"\n").split(b"\n")
    if head != b"---" or not all(line.startswith(b"- ") for line in lines):
        raise ValueError("no list of names")
    return [tube_of(_unquoted(line[2:])) for line in lines]


def tube_of(name: bytes) -> str:
    """Return the name of a tube. Raises ``ValueError`` for what can't be one."""
    try:
        return check_tube(name.decode("ascii"))
    except TubeNameError:  # not the caller's mistake, as that class would say
        raise ValueError(f"{name[:_SHOWN]!r} instead of a tube's name") from None


def count_of(word: bytes) -> int:
    """Return a number that a C program counts. Raises ``ValueError``.

    Arithmetic with longer ones may fail: they are too large for a float.
    """
    if len(word) <= _MAX_DIGITS:
        return number_of(word)
    raise ValueError(f"a number of {len(word)} digits")


class StatsReply(dict[str, bytes]):
    """The values of a reply by their keys, unquoted.

    No decision depends on a number that is read with ``number_or_0``: the number may be
    missing in the replies of some version.
    """

    @classmethod
    def parse(cls, chunk: bytes) -> Self:
        """Read a reply: lines without a key are left out."""
        lines = (line.partition(b": ") for line in chunk.split(b"\n"))
        return cls(
            (key.decode("ascii"), _unquoted(value))
            for key, colon, value in lines
            if colon
        )

    def needed(self, key: str) -> bytes:
        """Return a value. Raises ``ValueError`` if the reply lacks it."""
        if key in self:
            return self[key]
        raise ValueError(f"no {key!r} in it")

    def number(self, key: str) -> int:
        """Return a whole number. Raises ``ValueError`` if there is none."""
        return count_of(self.needed(key))

    def number_or_0(self, key: str) -> int:
        """Return a whole number, or 0 if the reply lacks the key."""
        return count_of(self.get(key, b"0"))

    def signed_or_0(self, key: str) -> int:
        """Return a time: below 0 if its end has passed, or the clock was set."""
        number = self.get(key, b"0")
        sign = -1 if number.startswith(b"-") else 1
        return sign * count_of(number.removeprefix(b"-"))

    def seconds(self, key: str) -> float:
        """Return a number of seconds, or 0 if the reply lacks the key."""
        number = self.get(key, b"0")
        if _SECONDS.fullmatch(number):
            return float(number)
        raise ValueError(f"{number[:_SHOWN]!r} instead of seconds")

    def tube(self, key: str) -> str:
        """Return a tube's name. Raises ``ValueError`` if there is none."""
        return tube_of(self.needed(key))

    def text(self, key: str) -> str:
        """Return a text, or an empty one if the reply lacks the key."""
        return self.get(key, b"").decode(errors="replace")


def _unquoted(value: bytes) -> bytes:
    if len(value) > 1 and value.startswith(b'"') and value.endswith(b'"'):
        return re.sub(rb'\\(["\\])', rb"\1", value[1:-1])
    return value
