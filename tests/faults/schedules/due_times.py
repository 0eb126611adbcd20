"""The due times of a campaign's schedules, by the clock that its workers see."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jobqueue.schedule.decision import EACH_FOR
from jobqueue.schedule.times import Cron, Every, Times

from .timeline import Jump, Timeline

RECOVERY = 8  # seconds for workers to start, or to be connected again

CHANGING = "changing"  # with each deploy
EACH_MINUTE = "each_minute"
TIMES: dict[str, Callable[[int], Times]] = {
    "each_second": lambda _: Every(1),
    "each_five": lambda _: Every(5),
    "by_seconds": lambda _: Cron("*/7 * * * * *", ZoneInfo("America/New_York")),
    EACH_MINUTE: lambda _: Cron("* * * * *", ZoneInfo("Europe/Berlin")),
    CHANGING: lambda version: Every(3 + version % 2),
}
_CHECK = 95  # seconds: the mean pause between two checks of a worker, and half of it
_SHORT = 10


class DueTime(NamedTuple):
    """A due time. It is not certain if deploys may have changed it just then."""

    due: int
    is_certain: bool


def notices_within(name: str, *, is_delayed: bool = False) -> int:
    """Return for how many seconds workers may not notice that the clock was set.

    A step is noticed when the tick is ready, or by the check of each minute. Where the
    broker's clock is set back as well, each tick is delayed until then.
    """
    return _CHECK if is_delayed or name == EACH_MINUTE else _SHORT


def due_times(
    timeline: Timeline, name: str, resets: Iterable[Jump]
) -> Iterator[DueTime]:
    """Yield each due time that the clock has shown in a campaign, or jumped over.

    Earlier ones count as well if the clock was set back so far that the workers begin
    anew (``resets``), from the time on by which they have to know.
    """
    first, end = timeline.clock(timeline.begin), timeline.end
    last = max(timeline.clock(end), *(jump.before for jump in timeline.jumps), 0)
    spans = [(first, last)]
    for jump in resets:
        until = timeline.clock(timeline.next_jump(jump, end)) - 1
        known = notices_within(name, is_delayed=timeline.is_one_machine)
        spans.append((jump.after + known, min(first, until)))
    found = {
        due: _is_certain(timeline, due)
        for version in {version % 2 for _, version in timeline.deploys}
        for start, stop in spans
        for due in _between(TIMES[name](version), start, stop)
        if name != CHANGING or _is_current(timeline, due, version)
    }
    for due in sorted(found):
        yield DueTime(due, name != CHANGING or found[due])


def is_due_of_any(name: str, due: int) -> bool:
    """Return whether this is a due time of the schedule, in any version of the code."""
    times = TIMES[name]
    return any(times(v).next_after(due - 1) == due for v in (0, 1))


def _between(times: Times, start: float, stop: float) -> Iterator[int]:
    due = int(start)
    while (due := times.next_after(due)) < stop:
        yield due


def _is_current(timeline: Timeline, due: int, version: int) -> bool:
    """Return whether this was the version of the code whenever it was due."""
    versions = [
        [v % 2 for at, v in timeline.deploys if at <= moment][-1]
        for moment in timeline.moments_of(due) or [timeline.passed(due)]
    ]
    return all(v == version for v in versions)


def _is_certain(timeline: Timeline, due: int) -> bool:
    """Return whether all workers had the same code then, and for some time before."""
    if timeline.was_jumped(due):
        return False
    before = timeline.passed(due) - EACH_FOR - 2
    if timeline.highest(before) > timeline.clock(before):  # with other code, maybe
        return False
    return not any(
        fault.name == "deploy"
        for moment in timeline.moments_of(due)
        for fault in timeline.near(moment, RECOVERY)
    )
