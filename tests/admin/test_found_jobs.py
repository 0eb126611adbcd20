"""The jobs that a search has found."""

import random
import tracemalloc

from jobqueue.admin.found_jobs import FoundJobs
from jobqueue.broker.stats import JobState, JobStats


def block(start: int, count: int) -> list[JobStats]:
    return [
        JobStats(
            *(start + n, "emails", JobState.READY, 65536, 12_345 + n // 9),
            *(0, 60, 0, 2**33 + n, 0, 0, 0, 0),
        )
        for n in range(count)
    ]


def test_in_the_order_of_ids() -> None:
    """Blocks come in any order, and each job is as it was."""
    jobs = block(1, 1000)
    blocks = [jobs[start : start + 90] for start in range(0, 1000, 90)]
    random.shuffle(blocks)
    found = FoundJobs()
    for one in [[], *blocks]:
        found.add(one)

    assert len(found) == 1000
    assert list(found) == jobs
    assert list(found) == jobs  # also a second time


def test_little_memory() -> None:
    found = FoundJobs()
    tracemalloc.start()
    try:
        for start in range(1, 10_000, 5_000):
            found.add(block(start, 5_000))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 10_000 * 100
