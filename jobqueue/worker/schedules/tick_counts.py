"""How many ticks a tube holds, by the broker's counts."""

from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState


def total(counts: TubeStats | None) -> int:
    """Return the number of jobs in a tube; None stands for a tube that is not there."""
    return counts.jobs_in(JobState) if counts else 0


def is_odd(counts: TubeStats | None) -> bool:
    """Return whether a tube of a tick holds other than one that is on its way."""
    return counts is not None and (counts.buried > 0 or total(counts) > 1)
