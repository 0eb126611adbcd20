"""The options of a put: delay, at, priority and ttr."""

import math
from datetime import UTC, datetime
from typing import NamedTuple, Self

from jobqueue.broker.checks import MAX_NUMBER, whole_number
from jobqueue.errors import OptionError


class _Numbers(NamedTuple):
    delay: int  # seconds
    at: datetime | None  # replaces the delay, if given
    priority: int
    ttr: int  # seconds


class PutOptions(_Numbers):
    """The options of a put, checked: beanstalkd takes them all.

    The defaults are those of other beanstalkd clients.
    """

    __slots__ = ()

    def __new__(
        cls,
        delay: int = 0,
        at: datetime | None = None,
        priority: int = 2**16,
        ttr: int = 60,
    ) -> Self:
        """Raise :class:`~jobqueue.errors.OptionError` for what beanstalkd refuses."""
        if at is not None:
            _check_at(at)
        return super().__new__(
            cls,
            whole_number("delay", delay),
            at,
            whole_number("priority", priority),
            whole_number("ttr", ttr, least=1),
        )

    def delay_now(self) -> int:
        """Return the delay, in seconds, of a job that is put now."""
        if self.at is None:
            return self.delay
        seconds = _seconds_until(self.at)  # more than allowed if a clock was set back
        return min(max(0, seconds), MAX_NUMBER)


def _check_at(at: object) -> None:
    try:
        if isinstance(at, datetime) and at.utcoffset() is not None:
            seconds = _seconds_until(at)
        else:
            seconds = None
    except Exception:  # noqa: BLE001 - pandas' NaT, or a timezone of the application's
        seconds = None
    if seconds is None:
        raise OptionError(
            f"at has to be a datetime with a timezone, as in datetime.now(UTC), "
            f"not {at!r}"
        )
    if seconds > MAX_NUMBER:
        raise OptionError(f"at has to be less than {MAX_NUMBER} seconds away: {at}")


def _seconds_until(at: datetime) -> int:
    return math.ceil((at - datetime.now(UTC)).total_seconds())
