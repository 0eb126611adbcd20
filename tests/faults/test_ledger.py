"""The ledger itself: it would find out what it is there to find out."""

from pathlib import Path

import pytest

from .ledger import Ledger, Verdict

WORKER, OTHER, PRODUCER = 100, 101, 200


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def verdict(path: Path, *lines: str, buried: tuple[int, ...] = ()) -> Verdict:
    path.write_text("".join(f"{line}\n" for line in lines))
    ledger = Ledger(path)
    ledger.close()
    return ledger.read().verdict(buried)


SENT = f"sent 1 {PRODUCER} 10.0"
CONFIRMED = "confirmed 1 7 11.0"
FIRST = f"began 1 7 {WORKER} 20.0"
AGAIN = f"began 1 7 {OTHER} 30.0"


def test_one_run(path: Path) -> None:
    found = verdict(path, SENT, CONFIRMED, FIRST)

    assert found.is_good
    assert (found.put, found.ran, found.duplicated) == (1, 1, 0)


def test_lost(path: Path) -> None:
    assert verdict(path, SENT, CONFIRMED).lost == [1]
    assert verdict(path, SENT, CONFIRMED, buried=(1,)).lost == []
    assert verdict(path, SENT).lost == []


@pytest.mark.parametrize("lines", [(FIRST,), (SENT, "refused 1", FIRST)])
def test_stranger(path: Path, lines: tuple[str, ...]) -> None:
    assert verdict(path, *lines).strangers == [1]


@pytest.mark.parametrize(
    ("fault", "explains"),
    [
        ("fault killed 25.0 25.0 100", True),
        ("fault killed 25.0 25.0 101", True),
        ("fault killed 25.0 25.0 everybody", True),
        ("fault stopped 1.0 60.0 100,200", True),
        ("fault killed 25.0 25.0 102", False),
        ("fault killed 25.0 25.0 nobody", False),
        ("fault killed 17.0 17.0 100", False),
        ("fault killed 31.0 31.0 100", False),
    ],
)
def test_second_run(path: Path, fault: str, explains: bool) -> None:
    """It needs a fault at its time and in its process."""
    found = verdict(path, SENT, CONFIRMED, FIRST, AGAIN, fault)

    assert found.duplicated == 1
    assert found.unexplained == ([] if explains else [1])


def test_several_runs(path: Path) -> None:
    """Each needs a fault of its own."""
    third = f"began 1 7 {WORKER} 50.0"
    faults = "fault killed 25.0 25.0 100", "fault killed 45.0 45.0 101"

    assert verdict(path, SENT, FIRST, AGAIN, third, faults[0]).unexplained == [1]
    assert verdict(path, SENT, FIRST, AGAIN, third, *faults).unexplained == []


@pytest.mark.parametrize(
    ("fault", "explains"),
    [
        ("fault cut 10.5 10.5 200", True),
        ("fault cut 12.0 12.0 200", False),
        ("fault cut 10.5 10.5 100", False),
    ],
)
def test_put_twice(path: Path, fault: str, explains: bool) -> None:
    """It needs a fault during the put."""
    second = f"began 1 8 {OTHER} 21.0"

    found = verdict(path, SENT, CONFIRMED, FIRST, second, fault)

    assert found.unexplained == ([] if explains else [1])


def test_retry_is_no_duplicate(path: Path) -> None:
    failed = f"failed 1 7 {WORKER} 20.0"

    found = verdict(path, SENT, CONFIRMED, FIRST, failed, AGAIN)

    assert (found.duplicated, found.is_good) == (0, True)
