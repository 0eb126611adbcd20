"""The rule that says whether a job is too old to begin, with no server."""

import math

import pytest

from jobqueue.job.decision import Ending, decide_on_failure
from jobqueue.job.expiry import Expired, check_age
from jobqueue.job.outcome import RetryPolicy
from tests.helpers.reserved import stats


@pytest.mark.parametrize(
    ("counts", "of_task", "of_job", "is_expired"),
    [
        ({"age": 10**9}, None, None, False),
        ({"age": 60}, 60, None, False),
        ({"age": 61}, 60, None, True),
        ({"age": 90, "delay": 30}, 60, None, False),
        ({"age": 91, "delay": 30}, 60, None, True),
        # The delay of a job that was released is that of its release.
        ({"age": 61, "delay": 30, "releases": 1}, 60, None, True),
        ({"age": 60, "delay": 30, "releases": 1}, 60, None, False),
        # What the job says counts before the task, and includes its delay.
        ({"age": 90, "delay": 30}, 60, 90, False),
        ({"age": 91, "delay": 30}, 600, 90, True),
        ({"age": 91, "delay": 5, "releases": 2}, None, 90, True),
        ({"age": 10**9}, 60, math.inf, False),
        # An operator who kicks a job wants it to run.
        ({"age": 10**9, "kicks": 1}, 60, 60, False),
    ],
)
def test_rule(
    counts: dict[str, int],
    of_task: int | None,
    of_job: float | None,
    is_expired: bool,
) -> None:
    try:
        check_age(stats(**counts), of_task, of_job)
    except Expired as expired:
        assert is_expired
        decision = decide_on_failure(expired, expired.stats, RetryPolicy(retries=9))
        assert decision.ending is Ending.EXPIRED
    else:
        assert not is_expired


def test_reason() -> None:
    with pytest.raises(Expired, match=r"^is 70 s old, and its max_age is 60 s$"):
        check_age(stats(age=100, delay=30), 60, None)
    with pytest.raises(Expired, match=r"its max_age, its delay included, is 90 s$"):
        check_age(stats(age=100), 60, 90)
