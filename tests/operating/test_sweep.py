"""A change of all jobs of a state, each of which is remembered."""

import random
import tracemalloc
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating import sweep as module
from jobqueue.operating.sweep import Sweep


class FakeTube:
    """The buried jobs of a tube, in their order. One that is changed comes back."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._buried = OrderedDict.fromkeys(ids)
        self.changed: list[int] = []

    def first(self, tube: str, state: JobState) -> int | None:
        return next(iter(self._buried), None)

    def jobs_of(self, tube: str, ids: Iterable[int]) -> list[JobStats]:
        return [
            JobStats(n, tube, JobState.BURIED, *[0] * 10)
            for n in ids
            if n in self._buried
        ]

    def change(self, ids: Iterable[int]) -> Iterator[bool]:
        for job_id in ids:
            self._buried.move_to_end(job_id)
            self.changed.append(job_id)
            yield True


def sweep_of(tube: FakeTube) -> Sweep:
    connection: Any = tube
    return Sweep(connection, "t", JobState.BURIED)


SHUFFLED = random.Random(1).sample(range(1, 50_000, 7), 5_000)


@pytest.mark.parametrize(
    "ids",
    [range(1, 5_001), SHUFFLED, [*range(9_000, 5_000, -2), *range(1, 3_000)]],
    ids=["in order", "shuffled", "backwards"],
)
def test_each_once(ids: Sequence[int]) -> None:
    """Each job is changed once, in whichever order the broker has them."""
    tube = FakeTube(ids)

    steps = sweep_of(tube).in_any_order(tube.change, 10**9)
    assert sum(map(len, steps)) == len(ids)
    assert sorted(tube.changed) == sorted(ids)
    tube.changed.clear()
    steps = sweep_of(tube).in_order(tube.change, 10**9)
    assert sum(map(len, steps)) == len(ids)
    assert sorted(tube.changed) == sorted(ids)


@pytest.mark.parametrize("step", [1, 9])
def test_little_memory(step: int) -> None:
    """What a sweep remembers of a job takes eight bytes."""
    tube = FakeTube(range(1, 2_000 * step, step))
    tube.changed = [0] * 2_000
    one = sweep_of(tube)
    tracemalloc.start()
    try:
        for _ in one.in_any_order(tube.change, 10**9):
            tube.changed.clear()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()

    own = snapshot.filter_traces([tracemalloc.Filter(True, module.__file__)])
    assert sum(trace.size for trace in own.traces) < 2_000 * 20
