"""Due times: whole seconds of Unix time, by an interval or by a cron expression."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import NamedTuple, Protocol

_FIRST_STEP = 60  # seconds that a search for the latest due time goes back at first
_STEPS_GROW = 8  # times, so that few due times are passed on the way


class Times(Protocol):
    """The due times of a schedule, each a whole number of Unix seconds."""

    @property
    def text(self) -> str:
        """The definition, as people read it; two are the same if their texts are."""
        ...

    def next_after(self, moment: float) -> int:
        """Return the first due time after a moment."""
        ...

    def latest(self, since: int, now: float) -> int:
        """Return the last due time up to now; ``since`` is a due time in the past."""
        ...


class Every(NamedTuple):
    """Every so many seconds, counted from the beginning of 1970 in UTC.

    So all workers agree on the due times and need to remember nothing: 300 is due at
    every full five minutes, 86400 at midnight in UTC.
    """

    seconds: int

    @property
    def text(self) -> str:
        """The definition, as people read it."""
        return f"every {self.seconds} s"

    def next_after(self, moment: float) -> int:
        """Return the first due time after a moment."""
        return int(moment // self.seconds + 1) * self.seconds

    def latest(self, since: int, now: float) -> int:
        """Return the last due time up to now."""
        return max(since, int(now // self.seconds) * self.seconds)


class Cron(NamedTuple):
    """The times of a cron expression in a time zone, as Debian's cron has them.

    That is about daylight saving time (cron(8), "Debian Specific"). A job of a fixed
    time, whose minutes and hours are no ``*``, is due once a day: right after the gap
    if the clocks skip its time, and only the first time if they show it twice. All
    others are due whenever the clocks show a time that fits.
    """

    expression: str
    zone: tzinfo  # UTC, or a ZoneInfo

    @property
    def text(self) -> str:
        """The definition, as people read it."""
        return f"cron {self.expression} {self.zone}"

    def next_after(self, moment: float) -> int:
        """Return the first due time after a moment."""
        return next(due for due in self._from(moment) if due > moment)

    def latest(self, since: int, now: float) -> int:
        """Return the last due time up to now; ``since`` is a due time in the past."""
        step = _FIRST_STEP
        while (start := now - step) > since:
            found = self._last_in(start, now)
            if found is not None:
                return found
            step *= _STEPS_GROW
        return self._last_in(since, now) or since

    def _last_in(self, start: float, end: float) -> int | None:
        """Return the last due time after ``start`` and up to ``end``."""
        last = None
        for due in self._from(start):
            if due > end:
                return last
            if due > start:
                last = due
        return last

    def _from(self, moment: float) -> Iterator[int]:
        """Yield due times; the first ones may be at ``moment`` or before."""
        from cronsim import CronSim  # noqa: PLC0415 - see the extra cron

        start = datetime.fromtimestamp(moment, self.zone)
        for due in CronSim(self.expression, start):
            yield int(due.timestamp())
