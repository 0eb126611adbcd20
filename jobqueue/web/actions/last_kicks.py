"""What a question says of jobs that are deleted if they fail again after this kick."""

from collections.abc import Iterable

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating.last_kicks import GRANT, is_last_kick, of_certain, of_possible
from jobqueue.web.known_failures import TubeFailures

GRANTED = f"{GRANT}."


def last_kicks(jobs: Iterable[JobStats | None], failures: TubeFailures) -> str:
    """Return sentences about such jobs of a tube, to follow others; empty without."""
    notes = failures.last_of_jobs()
    found = [is_last_kick(job, notes.get(job.id)) for job in jobs if job]
    kinds = (found.count(True), of_certain), (found.count(None), of_possible)
    return "".join(f" {told(count)}." for count, told in kinds if count)


def last_kicks_noted(failures: TubeFailures) -> str:
    """Return the same of all buried jobs of a tube whose failures are noted."""
    buried = (
        job for job in failures.jobs.values() if job and job.state is JobState.BURIED
    )
    return last_kicks(buried, failures)
