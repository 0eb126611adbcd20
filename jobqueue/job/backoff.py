"""Backoff: the pause before a failed job is tried again."""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta

from jobqueue.broker.checks import Delay, plain_number, whole_seconds
from jobqueue.errors import OptionError

Backoff = Delay | Sequence[Delay] | Callable[[int], Delay]

LONGEST = 3600.0  # seconds


def exponential(retry: int) -> float:
    """Return a random pause of up to 1, 2, 4 seconds and so on, an hour at most.

    The pause is anything from 0 to that limit ("full jitter"), so that jobs that failed
    together, when a service went down, don't return together and bring it down again.
    """
    return random_fraction() * min(LONGEST, 2.0 ** min(retry - 1, 12))


def check_backoff(backoff: Backoff) -> None:
    """Raise :class:`~jobqueue.errors.OptionError` for an invalid backoff."""
    if callable(backoff):
        return
    if isinstance(backoff, Sequence) and not isinstance(backoff, str | bytes):
        if not backoff:
            raise OptionError("backoff has to have one delay at least, not none")
        for delay in backoff:
            whole_seconds("each delay of backoff", delay)
    elif isinstance(backoff, timedelta) or plain_number(backoff) is not None:
        whole_seconds("backoff", backoff)
    else:
        raise OptionError(
            "backoff has to be a number of seconds, a timedelta, a sequence of these, "
            f"or a function of the retry's number, not {backoff!r}"
        )


def pause(backoff: Backoff, retry: int) -> int:
    """Return the pause before a retry, in seconds. Retries are counted from 1.

    If ``backoff`` is a function, raises whatever that raises, and
    :class:`~jobqueue.errors.OptionError` if it returns no valid delay.
    """
    if callable(backoff):
        return whole_seconds("what backoff returns", backoff(retry))
    if isinstance(backoff, Sequence):
        return whole_seconds("backoff", backoff[min(retry, len(backoff)) - 1])
    return whole_seconds("backoff", backoff)


def random_fraction() -> float:
    """Return a random number from 0 to 1, uniformly distributed.

    Does without the module random, which is slow to import, and can't be imported when
    the process has no file descriptor left.
    """
    return int.from_bytes(os.urandom(4)) / (2**32 - 1)
