"""The one rule of schedules: what to do with a tick now."""

import math
from typing import NamedTuple

from jobqueue.schedule.schedule import Schedule
from jobqueue.schedule.tick import Tick

CLOCKS_DIFFER = 60  # seconds by which the clocks of two workers may be apart
EACH_FOR = 10  # seconds in which a due time is put although the next one has come
TOLERANCE = 0.1  # seconds: so late is on time, as delays are whole seconds


class Wait(NamedTuple):
    """The tick is right, and not due yet."""

    due: int


class Leave(NamedTuple):
    """The tick is for workers with other code, if any of them is left."""


class Move(NamedTuple):
    """The tick gets another due time, and this code's definition."""

    due: int


class Put(NamedTuple):
    """A job is due."""

    due: int
    next_due: int


class Skip(NamedTuple):
    """A job was due so long ago that it is not put any more."""

    due: int
    next_due: int


Decision = Wait | Leave | Move | Put | Skip


def decide(tick: Tick, schedule: Schedule, now: float, started: float) -> Decision:
    """Return what to do with a tick. ``started`` is when this worker has started.

    Workers with older and newer code may be at one schedule, as in a rolling deploy. Of
    two definitions that of the worker counts which has started last, as long as any
    worker with its code is there. When none is, ``started`` is infinite.
    """
    times, due = schedule.times, tick.due
    is_ours = tick.definition == schedule.text
    if not is_ours and tick.since > started:
        return Leave()
    if due > now:
        right = times.next_after(max(math.floor(now), _last_due(tick, now)))
        return Wait(due) if is_ours and due == right else Move(right)
    if not is_ours and times.next_after(due - 1) != due:
        return Move(times.next_after(now))
    if now - due > EACH_FOR:  # of all that were missed, only the latest
        due = times.latest(due, now)
    if schedule.late is not None and now - due > schedule.late:
        return Skip(due, times.next_after(now))
    return Put(due, times.next_after(due))


def delay_until(due: int, now: float) -> int:
    """Return the delay, in whole seconds, of a tick that is due then.

    Rounded down, but for a tolerance: a tick that comes too early is held for the rest.
    """
    return max(0, math.floor(due - now + TOLERANCE))


def _last_due(tick: Tick, now: float) -> int:
    """Return the last due time that is done with.

    If it is far in the future, a clock was wrong when it was put, and it counts no
    more: else the schedule would rest until then.
    """
    return tick.last_due if tick.last_due <= now + CLOCKS_DIFFER else 0
