"""The benchmark of notes in a storm of failures, in a small size."""

import pytest

from tests.benchmarks.failure_storm import run
from tests.helpers.servers import Beanstalkd

JOBS, RETRIES = 150, 2


@pytest.mark.parametrize("slots", [1, 3])
def test_storm(broker: Beanstalkd, slots: int) -> None:
    """Both kinds of notes end at their bound: those of the last burials, and no job."""
    storm = run(broker, 40, JOBS, RETRIES, slots)

    assert (storm.burials, storm.retries) == (40, 40)
    assert storm.are_newest
    assert broker.counts("storm") == {"buried": JOBS}


def test_storm_without_notes(broker: Beanstalkd) -> None:
    storm = run(broker, 0, JOBS, RETRIES)

    assert (storm.most_burials, storm.most_retries) == (0, 0)
    assert broker.counts("storm") == {"buried": JOBS}
