"""The one rule: what to do with a tick now."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.schedule.decision import (
    Decision,
    Leave,
    Move,
    Put,
    Skip,
    Wait,
    decide,
    delay_until,
)
from jobqueue.schedule.schedule import Schedule
from jobqueue.schedule.tick import Tick
from jobqueue.schedule.times import Every

HOURLY = Schedule(Every(3600))
H = 3600
NOON = 12 * H
STARTED = NOON - 100.0


def tick(due: int, **fields: Any) -> Tick:
    known: dict[str, Any] = {
        "definition": "every 3600 s",
        "since": 0.0,
        "last_due": due - H,
    }
    return Tick("t", "f", due, priority=1, ttr=60, **(known | fields))


OLD, NEW = {"definition": "every 7 s"}, {"definition": "every 7 s", "since": NOON}


@pytest.mark.parametrize(
    ("found", "now", "expected"),
    [
        # Not due yet: as it should be, or kicked by a stranger.
        (tick(NOON), NOON - 60, Wait(NOON)),
        (tick(NOON), NOON - 0.01, Wait(NOON)),
        # Due.
        (tick(NOON), NOON, Put(NOON, NOON + H)),
        (tick(NOON), NOON + 0.9, Put(NOON, NOON + H)),
        # Late: nobody was there. Of several, the latest is put.
        (tick(NOON), NOON + H - 1, Put(NOON, NOON + H)),
        (tick(NOON), NOON + H, Put(NOON + H, NOON + 2 * H)),
        (tick(NOON), NOON + 5.5 * H, Put(NOON + 5 * H, NOON + 6 * H)),
        # The clock was set back by two hours, or the code came from an earlier one.
        (tick(NOON), NOON - 1.5 * H, Move(NOON - H)),
        # So far back that the last due time is not to be believed.
        (tick(NOON), NOON - 9.5 * H, Move(NOON - 9 * H)),
        # Another worker's clock is a second ahead of this one's, and it was faster.
        (tick(NOON + H), NOON - 1, Wait(NOON + H)),
        # The code has changed: another time, the same time, and one that is missed.
        (tick(NOON - 5, **OLD), NOON - 60, Move(NOON)),
        (tick(NOON, **OLD), NOON - 60, Move(NOON)),
        (tick(NOON, **OLD), NOON + 1, Put(NOON, NOON + H)),
        (tick(NOON - 5, **OLD), NOON - 1, Move(NOON)),
        (tick(NOON - H, **OLD), NOON - 60, Put(NOON - H, NOON)),
        # A worker that has started later has other code.
        (tick(NOON - 5, **NEW), NOON - 60, Leave()),
        (tick(NOON - 5, **NEW), NOON - 1, Leave()),
        (tick(NOON - 5, **NEW), NOON + 200, Leave()),
    ],
)
def test_decide(found: Tick, now: float, expected: Decision) -> None:
    assert decide(found, HOURLY, now, STARTED) == expected


def test_no_worker_with_newer_code_is_left() -> None:
    found = tick(NOON + 5, **NEW)

    assert decide(found, HOURLY, NOON - 60, math.inf) == Move(NOON)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOON + 60, Put(NOON, NOON + H)),
        (NOON + 61, Skip(NOON, NOON + H)),
        # The latest of those that were missed is not late.
        (NOON + 2 * H + 60, Put(NOON + 2 * H, NOON + 3 * H)),
        (NOON + 2 * H + 61, Skip(NOON + 2 * H, NOON + 3 * H)),
    ],
)
def test_late(now: float, expected: Decision) -> None:
    schedule = HOURLY._replace(late=60)

    assert decide(tick(NOON), schedule, now, STARTED) == expected


def test_each_second_is_put_after_a_short_stall() -> None:
    found = tick(NOON, definition="every 1 s", last_due=NOON - 1)

    assert decide(found, Schedule(Every(1)), NOON + 9.9, STARTED) == Put(NOON, NOON + 1)


@given(
    st.integers(1, 10**6),
    st.integers(0, 10**9),
    st.floats(0, 2 * 10**9),
    st.booleans(),
)
def test_no_due_time_is_put_twice_nor_early(
    seconds: int, steps: int, now: float, is_late: bool
) -> None:
    schedule = Schedule(Every(seconds), late=60 if is_late else None)
    found = tick(
        steps * seconds,
        definition=schedule.text,
        last_due=max(0, (steps - 1) * seconds),
    )

    decision = decide(found, schedule, now, STARTED)

    match decision:
        case Put(due, next_due) | Skip(due, next_due):
            assert found.due <= due <= now
            assert next_due > due
        case Wait(due) | Move(due):
            assert due > now - 60
            assert due > found.last_due or found.last_due > now + 60


@pytest.mark.parametrize(
    ("due", "now", "delay"),
    [(100, 95, 5), (100, 95.1, 5), (100, 95.2, 4), (100, 99.5, 0), (100, 200, 0)],
)
def test_delay(due: int, now: float, delay: int) -> None:
    """A tick comes a little late at most, or so early that it is held for the rest."""
    assert delay_until(due, now) == delay
