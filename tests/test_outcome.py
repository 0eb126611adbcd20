import pytest

from jobqueue import BadJobError, Bury
from jobqueue.outcome import Buried, Deleted, JobStats, decide

FAILURES = [ValueError("x"), SystemExit(1), KeyboardInterrupt(), MemoryError()]


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize(
    ("kicks", "max_kicks", "outcome"),
    [
        (0, 3, Buried(7)),
        (2, 3, Buried(7)),
        (3, 3, Deleted()),
        (4, 3, Deleted()),
        (0, 0, Deleted()),
        (1000, None, Buried(7)),
    ],
)
def test_a_failed_job_is_buried_with_its_priority_until_kicks_reach_max(
    error: BaseException, kicks: int, max_kicks: int | None, outcome: object
) -> None:
    stats = JobStats(tube="t", priority=7, ttr=60, reserves=1, kicks=kicks)

    assert outcome == decide(error, stats, max_kicks)


@pytest.mark.parametrize("error", [BadJobError("no job"), Bury("why")])
@pytest.mark.parametrize("max_kicks", [0, 3, None])
def test_what_cannot_run_or_asks_for_it_is_buried_whatever_its_kicks(
    error: BaseException, max_kicks: int | None
) -> None:
    stats = JobStats(tube="t", priority=7, ttr=60, reserves=1, kicks=1000)

    assert Buried(7) == decide(error, stats, max_kicks)
