"""Schedule: when a task is put by itself, as the decorator was told."""

from datetime import UTC, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jobqueue.broker.checks import MAX_NUMBER, plain_number, seconds_between
from jobqueue.errors import OptionError
from jobqueue.schedule.times import Cron, Every, Times

Interval = int | float | timedelta

_FIELDS = 5
_INSTALL = "pip install 'jobqueue[cron]'"


class Schedule(NamedTuple):
    """When a periodic task is due, and what becomes of due times that were missed."""

    times: Times
    late: float | None = (
        None  # seconds after which a missed one is skipped; None: never
    )
    pile_up: bool = False  # put a job although the last one is still waiting

    @property
    def text(self) -> str:
        """The due times, as people read them."""
        return self.times.text


def schedule_of(
    every: Interval | None,
    cron: str | None,
    tz: str | None,
    late: Interval | None,
    *,
    pile_up: bool,
) -> Schedule:
    """Return the schedule that these options of a task make.

    Raises :class:`~jobqueue.errors.OptionError` for what makes none.
    """
    if not isinstance(pile_up, bool):
        raise OptionError(f"pile_up has to be True or False, not {pile_up!r}")
    if every is not None and cron is not None:
        raise OptionError("give either every or cron, not both")
    if cron is not None:
        return Schedule(_cron(cron, tz), _late(late), pile_up)
    if tz is not None:
        raise OptionError("tz is the time zone of cron, and there is no cron")
    if every is not None:
        return Schedule(Every(_interval(every)), _late(late), pile_up)
    raise OptionError(
        "late and pile_up are about a periodic task: give every or cron as well"
    )


def _interval(every: object) -> int:
    seconds = _seconds(every)
    if seconds is not None and seconds == int(seconds):
        return int(seconds)
    raise OptionError(
        f"every has to be a whole number of seconds from 1 to {MAX_NUMBER}, or such a "
        f"timedelta, not {every!r}: beanstalkd knows no parts of a second"
    )


def _late(late: object) -> float | None:
    if late is None:
        return None
    seconds = _seconds(late)
    if seconds is not None:
        return seconds
    raise OptionError(
        f"late has to be from 1 to {MAX_NUMBER} seconds, or a timedelta, not {late!r}"
    )


def _seconds(given: object) -> float | None:
    """Return a number of seconds, at least 1; None for anything else."""
    number = given.total_seconds() if isinstance(given, timedelta) else given
    return seconds_between(1, plain_number(number), MAX_NUMBER)


def _cron(expression: object, tz: object) -> Cron:
    if not isinstance(expression, str):
        raise OptionError(
            f'cron has to be a text such as "0 7 * * MON-FRI", not {expression!r}'
        )
    try:
        from cronsim import CronSimError  # noqa: PLC0415 - see the extra cron
    except ModuleNotFoundError:
        raise OptionError(f"cron needs cronsim: {_INSTALL}") from None
    fields = expression.split()
    times = Cron(" ".join(fields), _zone(tz))
    problem = None
    if len(fields) > _FIELDS:  # to cronsim the first of six is the second
        problem = "Wrong number of fields"
    else:
        try:
            times.next_after(0)
        except CronSimError as error:
            problem = str(error)
    if problem is not None:
        raise OptionError(
            f"cron={expression!r} is no cron expression ({problem}): it has to have "
            'five fields, minute, hour, day of month, month and day of week, as "0 7 * '
            '* MON-FRI" has'
        )
    return times


def _zone(tz: object) -> tzinfo:
    if tz is None or tz == "UTC":  # it needs no data, which a system may lack
        return UTC
    if isinstance(tz, str):
        try:
            return ZoneInfo(tz)
        except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            pass
    raise OptionError(
        f'tz has to be the name of a time zone, as "Europe/Berlin", not {tz!r} (on a '
        "system without time zones: pip install tzdata)"
    )
