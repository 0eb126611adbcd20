"""What a question says of jobs that are deleted if they fail again after this kick."""

from collections.abc import Iterable

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.job.outcome import RetryPolicy
from jobqueue.operating.failures import is_last_kick
from jobqueue.operating.formatting import number_of
from jobqueue.web.known_failures import TubeFailures

_ALLOWED = RetryPolicy().max_kicks or 0
_DELETED = "if it fails again, such a job is deleted"


def last_kicks(jobs: Iterable[JobStats | None], failures: TubeFailures) -> str:
    """Return sentences about such jobs of a tube, to follow others; empty without."""
    notes = failures.last_of_jobs()
    found = [is_last_kick(job, notes.get(job.id)) for job in jobs if job]
    told = ""
    if certain := found.count(True):
        told += f" For {number_of(certain, 'job')} it is the last kick: {_DELETED}."
    if possible := found.count(None):
        told += (
            f" For {number_of(possible, 'job')} it is kick {_ALLOWED} or later: "
            f"{_DELETED}, unless its task has another max_kicks."
        )
    return told


def last_kicks_noted(failures: TubeFailures) -> str:
    """Return the same of all buried jobs of a tube whose failures are noted."""
    buried = (
        job for job in failures.jobs.values() if job and job.state is JobState.BURIED
    )
    return last_kicks(buried, failures)
