"""How many ticks a tube holds, by the broker's counts."""

import time
from collections.abc import Callable

from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState

_UNTIL_REPLACED = 0.01, 0.03, 0.1, 0.3  # seconds: pauses; it takes a round trip


def count_at_rest(count: Callable[[], TubeStats | None]) -> TubeStats | None:
    """Return the counts of a tick's tube, once no worker is just replacing the tick.

    If that is late, the next tick is ready before the old one is deleted.
    """
    counts = count()
    for pause in _UNTIL_REPLACED:
        if counts is None or counts.reserved <= 1:
            break
        time.sleep(pause)
        counts = count()
    return counts


def total(counts: TubeStats | None) -> int:
    """Return the number of jobs in a tube; None stands for a tube that is not there."""
    return counts.jobs_in(JobState) if counts else 0


def is_odd(counts: TubeStats | None) -> bool:
    """Return whether a tube of a tick holds other than one that is on its way."""
    return counts is not None and (counts.buried > 0 or total(counts) > 1)
