"""The rule that decides what becomes of a job that failed, with no server."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import BadJobError, Bury, JobQueue, OptionError, Retry, TimeLimitExceeded
from jobqueue.broker.checks import MAX_NUMBER
from jobqueue.broker.settlement import Buried, Deleted, Released
from jobqueue.errors import CrashLoopError
from jobqueue.job.outcome import RetryPolicy, decide
from tests.helpers.reserved import stats

FAILURES = [
    ValueError("x"),
    SystemExit(1),
    KeyboardInterrupt(),
    MemoryError(),
    TimeLimitExceeded(),
    Retry(),
]
IN_10_S = Released(priority=7, delay=10)
BURIED = Buried(priority=7)


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize(
    ("kicks", "max_kicks", "outcome"),
    [
        (0, 3, BURIED),
        (2, 3, BURIED),
        (3, 3, Deleted()),
        (4, 3, Deleted()),
        (0, 0, Deleted()),
        (1000, None, BURIED),
    ],
)
def test_no_retries(
    error: BaseException, kicks: int, max_kicks: int | None, outcome: object
) -> None:
    """Without retries, a failed job is buried until its kicks reach the maximum."""
    policy = RetryPolicy(max_kicks=max_kicks)

    assert outcome == decide(error, stats(kicks=kicks), policy)


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize(
    ("releases", "buries", "kicks", "outcome"),
    [
        (0, 0, 0, IN_10_S),
        (1, 0, 0, IN_10_S),
        (2, 0, 0, BURIED),
        (2, 1, 1, IN_10_S),  # a kick grants two more
        (3, 1, 1, IN_10_S),
        (4, 1, 1, BURIED),
        (0, 1, 1, IN_10_S),  # what was not used before the kick is not lost
        (3, 1, 2, IN_10_S),
        (5, 2, 2, IN_10_S),
        (6, 2, 2, Deleted()),
        (9, 0, 0, BURIED),  # the task had more retries when it was released
    ],
)
def test_retries(
    error: BaseException, releases: int, buries: int, kicks: int, outcome: object
) -> None:
    """A failed job is retried while retries are left; each kick grants new ones."""
    policy = RetryPolicy(retries=2, backoff=10, max_kicks=2)
    counts = stats(releases=releases, buries=buries, kicks=kicks)

    assert outcome == decide(error, counts, policy)


@pytest.mark.parametrize(
    "error", [BadJobError("no"), CrashLoopError("no"), Bury("why")]
)
@pytest.mark.parametrize("max_kicks", [0, 3, None])
def test_buried_whatever_its_history(
    error: BaseException, max_kicks: int | None
) -> None:
    """A job that can't run, or raises Bury, is always buried."""
    policy = RetryPolicy(retries=1000, max_kicks=max_kicks)

    assert decide(error, stats(kicks=1000), policy) == BURIED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionError(), IN_10_S),
        (OSError(), IN_10_S),
        (KeyError(), IN_10_S),
        (LookupError(), BURIED),
        (TimeLimitExceeded(), BURIED),
        (SystemExit(), BURIED),
        (Retry(), IN_10_S),
        (Retry(delay=3), Released(7, 3)),
        (Retry(delay=0.1), Released(7, 1)),
        (Retry(delay=timedelta(minutes=1)), Released(7, 60)),
    ],
)
def test_retry_on(error: BaseException, outcome: object) -> None:
    """Only errors of retry_on are retried, and Retry itself."""
    policy = RetryPolicy(retries=1, retry_on=(OSError, KeyError), backoff=10)

    assert outcome == decide(error, stats(), policy)


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (0, [0, 0, 0]),
        (1.5, [2, 2, 2]),
        (timedelta(minutes=2), [120, 120, 120]),
        ([1, 5], [1, 5, 5]),
        ((0, timedelta(hours=1), 2), [0, 3600, 2]),
        (lambda retry: retry * 10, [10, 20, 30]),
    ],
)
def test_backoff(backoff: Any, delays: list[int]) -> None:
    """The backoff says how long each retry waits, and begins anew after a kick."""
    policy = RetryPolicy(retries=3, backoff=backoff)
    kicked = [stats(releases=3 + n, buries=1, kicks=1) for n in range(3)]
    fresh = [stats(releases=n) for n in range(3)]

    for counts in (fresh, kicked):  # a kick begins anew
        outcomes = [decide(ValueError(), each, policy) for each in counts]
        assert outcomes == [Released(7, delay) for delay in delays]


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": 1.5},
        {"retries": True},
        {"retry_on": ValueError("x")},
        {"retry_on": [int]},
        {"retry_on": "OSError"},
        {"retry_on": 3},
        {"backoff": -1},
        {"backoff": math.nan},
        {"backoff": True},
        {"backoff": []},
        {"backoff": [1, "2"]},
        {"backoff": "exponential"},
        {"backoff": object()},
        {"max_kicks": -1},
        {"max_kicks": True},
        {"max_kicks": 1.5},
        {"max_kicks": "3"},
        {"max_lost": 0},
        {"max_lost": 1.0},
    ],
)
def test_wrong_policy(options: dict[str, Any]) -> None:
    """A wrong option is refused by the decorator and by the queue."""
    (name,) = options
    with pytest.raises(OptionError, match=name):
        JobQueue.task("t", **options)
    with pytest.raises(OptionError, match=name):
        JobQueue(**options)


NETS = ExceptionGroup("nets", [ConnectionError("1"), TimeoutError("2")])
FAULT = ValueError("a fault")


class OwnGroup(ExceptionGroup[Exception]):
    """A group of the application's, named in retry_on as such."""

    @property
    def exceptions(self) -> Any:
        raise RuntimeError("code of the group's own class ran")


@pytest.mark.parametrize(
    ("group", "outcome"),
    [
        (ExceptionGroup("1", [Bury("never")]), BURIED),
        (ExceptionGroup("1", [NETS, ExceptionGroup("2", [Bury("never")])]), BURIED),
        (ExceptionGroup("1", [Retry(delay=3), Bury("never")]), BURIED),
        (ExceptionGroup("1", [OSError(), BadJobError("no")]), BURIED),
        (ExceptionGroup("1", [FAULT, Retry(delay=3)]), Released(7, 3)),
        (
            ExceptionGroup("1", [Retry(delay=3), Retry(), Retry(delay=9)]),
            Released(7, 9),
        ),
        (ExceptionGroup("1", [FAULT, ExceptionGroup("2", [Retry()])]), IN_10_S),
        (NETS, IN_10_S),
        (ExceptionGroup("1", [NETS, NETS]), IN_10_S),
        (ExceptionGroup("1", [NETS, FAULT]), BURIED),
        (OwnGroup("1", [FAULT]), IN_10_S),
        (BaseExceptionGroup("1", [TimeLimitExceeded()]), IN_10_S),
        (BaseExceptionGroup("1", [TimeLimitExceeded(), FAULT]), BURIED),
        (BaseExceptionGroup("1", [SystemExit(1), OSError()]), BURIED),
        (BaseExceptionGroup("1", [KeyboardInterrupt(), Retry()]), IN_10_S),
    ],
)
def test_groups(group: BaseException, outcome: object) -> None:
    """The sternest of the errors in a group decides."""
    retry_on = (OSError, OwnGroup, TimeLimitExceeded)
    policy = RetryPolicy(retries=1, retry_on=retry_on, backoff=10)

    assert outcome == decide(group, stats(), policy)


def test_groups_by_default() -> None:
    """Any error is retried without retry_on, and so is any group without a verdict."""
    group = BaseExceptionGroup("1", [KeyboardInterrupt(), FAULT])

    assert decide(group, stats(), RetryPolicy(retries=1, backoff=10)) == IN_10_S


def test_deep_groups() -> None:
    group: Exception = Bury("never")
    for _ in range(5000):
        group = ExceptionGroup("another", [group])

    assert decide(group, stats(), RetryPolicy(retries=1)) == BURIED


@pytest.mark.parametrize("delay", [-1, math.inf, "5", True])
def test_wrong_delay_of_retry(delay: Any) -> None:
    """A Retry with a wrong delay is refused where it is raised."""
    with pytest.raises(OptionError, match="delay"):
        Retry(delay=delay)


counts = st.integers(0, 50)
delays = st.floats(0, 10**6) | st.integers(0, 10**6)
backoffs = (
    delays
    | st.lists(delays, min_size=1, max_size=5)
    | delays.map(lambda delay: lambda _retry: delay)
)
policies = st.builds(
    RetryPolicy,
    retries=st.integers(0, 10),
    retry_on=st.sampled_from([(), (OSError,), (KeyError, OSError), (BaseException,)]),
    backoff=st.just(RetryPolicy().backoff) | backoffs,
    max_kicks=st.none() | counts,
    max_lost=st.none() | st.integers(1, 10),
)
errors = st.sampled_from([*FAILURES, OSError(), KeyError(), Bury(), BadJobError()])


@given(policies, errors, st.tuples(counts, counts, counts, counts))
def test_any_decision(
    policy: RetryPolicy, error: BaseException, counted: tuple[int, int, int, int]
) -> None:
    """No decision grants more than the policy allows."""
    releases, buries, kicks, lost = counted
    kicks = max(kicks, buries)  # what was buried has been kicked
    history = stats(
        reserves=1 + releases + buries + lost,
        releases=releases,
        buries=buries,
        kicks=kicks,
    )

    outcome = decide(error, history, policy)

    assert history.lost == lost
    if isinstance(outcome, Released):
        assert releases < policy.retries * (kicks + 1)
        assert isinstance(error, (Retry, *policy.retry_on))
        assert not isinstance(error, Bury | BadJobError)
        assert 0 <= outcome.delay <= MAX_NUMBER
        assert type(outcome.delay) is int
    if isinstance(outcome, Deleted):
        assert policy.max_kicks is not None
        assert kicks >= policy.max_kicks
    else:
        assert outcome.priority == history.priority


@given(policies, counts, counts, counts)
def test_lost_too_often(
    policy: RetryPolicy, releases: int, kicks: int, lost: int
) -> None:
    """A job has its last run when it was lost as often as the policy allows, but one.

    Only with one run alone it is refused, for it may have begun.
    """
    history = stats(reserves=1 + releases + lost, releases=releases, kicks=kicks)
    is_refused = False

    try:
        policy.check_lost(history)
    except CrashLoopError:
        is_refused = True

    assert is_refused == (policy.max_lost == 1 and lost > kicks)
    is_limited = policy.max_lost is not None and policy.max_lost > 1
    spare = ((policy.max_lost or 0) - 1) * (kicks + 1) - lost
    assert policy.is_last_chance(history) == (is_limited and spare <= 0)
    has_retries = policy.retries_left(history) > 0
    buried_first = is_limited and (spare < 0 or (spare == 0 and not has_retries))
    assert policy.is_buried_first(history) == buried_first
