"""Due times, by hand: intervals, cron, and both changes of the clocks in two zones."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.schedule.times import Cron, Every, Times


def at(text: str) -> int:
    """Return the Unix time of a time in UTC, such as 2026-03-29 01:00."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def cron(expression: str, zone: str = "UTC") -> Cron:
    return Cron(expression, UTC if zone == "UTC" else ZoneInfo(zone))


def shown(dues: Iterable[int]) -> list[str]:
    return [f"{datetime.fromtimestamp(due, UTC):%m-%d %H:%M}" for due in dues]


def dues_from(times: Times, start: int, count: int) -> list[int]:
    found: list[int] = []
    for _ in range(count):
        start = times.next_after(start)
        found.append(start)
    return found


@given(
    st.integers(1, 10**9),
    st.floats(0, 2**32 - 1, allow_nan=False, allow_infinity=False),
)
def test_every_is_a_grid(seconds: int, moment: float) -> None:
    times = Every(seconds)

    due = times.next_after(moment)

    assert due % seconds == 0
    assert due - seconds <= moment < due
    assert times.latest(0, moment) == due - seconds


# Each row was worked out by hand, from the rules in Debian's cron(8), "Debian
# Specific", and the dates of the changes: Berlin 2026-03-29 at 02:00 to 03:00 (01:00
# UTC) and 2026-10-25 at 03:00 to 02:00 (01:00 UTC); New York 2026-03-08 at 02:00 to
# 03:00 (07:00 UTC) and 2026-11-01 at 02:00 to 01:00 (06:00 UTC). All times are UTC.
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
CHANGES = [
    # The time does not exist: right after the gap, once.
    (BERLIN, "30 2 * * *", "2026-03-28 00:00", ["03-28 01:30", "03-29 01:00"]),
    (BERLIN, "30 2 * * *", "2026-03-29 01:00", ["03-30 00:30"]),
    (NEW_YORK, "30 2 * * *", "2026-03-07 00:00", ["03-07 07:30", "03-08 07:00"]),
    (NEW_YORK, "30 2 * * *", "2026-03-08 07:00", ["03-09 06:30"]),
    # Two such times in the gap are one.
    (BERLIN, "15,45 2 * * *", "2026-03-29 00:00", ["03-29 01:00", "03-30 00:15"]),
    # The time comes twice: only the first counts.
    (BERLIN, "30 2 * * *", "2026-10-24 12:00", ["10-25 00:30", "10-26 01:30"]),
    (BERLIN, "30 2 * * *", "2026-10-25 01:00", ["10-26 01:30"]),
    (NEW_YORK, "30 1 * * *", "2026-10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
    (NEW_YORK, "30 1 * * *", "2026-11-01 06:00", ["11-02 06:30"]),
    # The same from a moment in the second of the two hours.
    (BERLIN, "45 2 * * *", "2026-10-25 01:30", ["10-26 01:45"]),
    # What runs each hour, or more often, follows the real time.
    (BERLIN, "30 * * * *", "2026-03-29 00:00", ["03-29 00:30", "03-29 01:30"]),
    (BERLIN, "30 * * * *", "2026-10-25 00:00", ["10-25 00:30", "10-25 01:30"]),
    (NEW_YORK, "*/30 * * * *", "2026-11-01 05:45", ["11-01 06:00", "11-01 06:30"]),
    (NEW_YORK, "0 * * * *", "2026-03-08 06:30", ["03-08 07:00", "03-08 08:00"]),
    # Times that have nothing to do with the change keep to the clock on the wall.
    (BERLIN, "0 7 * * *", "2026-03-28 00:00", ["03-28 06:00", "03-29 05:00"]),
    (NEW_YORK, "0 7 * * *", "2026-10-31 12:00", ["11-01 12:00", "11-02 12:00"]),
    ("UTC", "30 2 * * *", "2026-03-28 12:00", ["03-29 02:30", "03-30 02:30"]),
    # Friday, then Monday.
    ("UTC", "0 7 * * MON-FRI", "2026-11-27 06:00", ["11-27 07:00", "11-30 07:00"]),
]


@pytest.mark.parametrize(("zone", "expression", "start", "expected"), CHANGES)
def test_changes_of_the_clocks(
    zone: str, expression: str, start: str, expected: list[str]
) -> None:
    times = cron(expression, zone)

    assert shown(dues_from(times, at(start), len(expected))) == expected


@pytest.mark.parametrize(("zone", "expression", "start", "expected"), CHANGES)
def test_latest_agrees_with_next(
    zone: str, expression: str, start: str, expected: list[str]
) -> None:
    """Of the due times that were missed, the latest is found from any moment."""
    times = cron(expression, zone)
    first, second = dues_from(times, at(start), 2)

    assert times.latest(first, second - 1) == first
    assert times.latest(first, second) == second
    assert times.latest(first, second + 0.5) == second
    assert len(expected) <= 2


def test_latest_after_years() -> None:
    assert cron("* * * * *").latest(at("1999-01-01"), at("2026-01-01 00:00")) == at(
        "2026-01-01 00:00"
    )
    assert cron("0 0 29 2 *").latest(at("2020-02-29"), at("2027-01-01")) == at(
        "2024-02-29"
    )
    assert cron("0 0 29 2 *").latest(at("2024-02-29"), at("2027-01-01")) == at(
        "2024-02-29"
    )


def test_text_tells_schedules_apart() -> None:
    assert Every(300).text == "every 300 s"
    assert cron("0 7 * * *", BERLIN).text == "cron 0 7 * * * Europe/Berlin"
