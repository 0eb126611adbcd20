"""Times and bars."""

import pytest

from jobqueue.operating import formatting


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "     "),
        ([0, 0], "   ··"),
        ([0, 1, 50, 100], " ·▁▅█"),
        ([9, 9, 9, 1, 2, 3, 4, 8], "▂▃▄▅█"),
    ],
)
def test_sparkline(values: list[float], expected: str) -> None:
    assert formatting.sparkline(values, 5) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"),
        (59, "59s"),
        (3600, "1h"),
        (3661, "1h 1m"),
        (93784, "1d 2h"),
        (-61, "-1m 1s"),
    ],
)
def test_duration_has_two_units(seconds: int, expected: str) -> None:
    assert formatting.duration(seconds) == expected
