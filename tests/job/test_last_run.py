"""The run after which a job that was lost too often stays buried."""

from contextlib import nullcontext

import pytest

from jobqueue.errors import CrashLoopError
from jobqueue.job.outcome import RetryPolicy
from tests.helpers.reserved import stats


@pytest.mark.parametrize(
    ("lost", "kicks", "retries", "is_last", "is_buried"),
    [
        (1, 0, 0, False, False),
        (2, 0, 0, True, True),
        (2, 0, 1, True, False),  # it may still be released
        (3, 0, 1, True, True),
        (3, 1, 0, False, False),
        (4, 1, 0, True, True),
    ],
)
def test_last_run(
    lost: int, kicks: int, retries: int, is_last: bool, is_buried: bool
) -> None:
    """It comes after one loss less than the limit, and is made while it is buried."""
    policy = RetryPolicy(max_lost=3, retries=retries)
    history = stats(reserves=1 + lost, kicks=kicks)

    policy.check_lost(history)
    assert policy.is_last_chance(history) == is_last
    assert policy.is_buried_first(history) == is_buried


@pytest.mark.parametrize(
    ("lost", "kicks", "is_refused"),
    [(0, 0, False), (1, 0, True), (1, 1, False), (2, 1, True)],
)
def test_one_run(lost: int, kicks: int, is_refused: bool) -> None:
    """With a limit of 1 there is no run after a loss."""
    policy = RetryPolicy(max_lost=1)

    with pytest.raises(CrashLoopError) if is_refused else nullcontext():
        policy.check_lost(stats(reserves=1 + lost, kicks=kicks))
