"""Spans of time, as users give them and as beanstalkd takes them: in whole seconds."""

import math
import os
from datetime import timedelta

from jobqueue.errors import OptionError

MAX_NUMBER = 2**32 - 1  # the largest priority, delay and ttr (protocol.txt, "put")

Delay = float | timedelta  # float stands for int as well


def whole_seconds(name: str, delay: object) -> int:
    """Return a delay in whole seconds, rounded up.

    Raises :class:`~jobqueue.errors.OptionError` for what is none.
    """
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and 0 <= seconds <= MAX_NUMBER
    ):
        return math.ceil(seconds)
    raise OptionError(
        f"{name} has to be from 0 to {MAX_NUMBER} seconds, or a timedelta, "
        f"not {delay!r}"
    )


def random_fraction() -> float:
    """Return any number from 0 to 1, each as likely as any other.

    The module random is slow to import, and can't be when no file can be opened.
    """
    return int.from_bytes(os.urandom(4)) / (2**32 - 1)
