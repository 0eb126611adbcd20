"""The pause before a retry, if the task does not say another."""

from hypothesis import given
from hypothesis import strategies as st

from jobqueue.job.backoff import LONGEST, pause
from jobqueue.job.outcome import RetryPolicy


@given(st.integers(1, 10**9))
def test_usual_backoff(retry: int) -> None:
    """The usual backoff doubles up to an hour, with jitter."""
    longest = min(LONGEST, 2 ** min(retry - 1, 100))

    assert 0 <= pause(RetryPolicy().backoff, retry) <= longest


def test_usual_backoff_spreads() -> None:
    """The usual backoff spreads the retries of jobs that failed together."""
    found = {pause(RetryPolicy().backoff, 10) for _ in range(1000)}

    assert len(found) > 300  # of 513
    assert min(found) < 50
    assert max(found) > 460
