"""LastKicks: which jobs a kick is the last for, as they are deleted if they fail again.

That depends on the ``max_kicks`` of a job's task, which only workers know. They note it
with the job's failure. Where there is no note, ``max_kicks`` may have its default.
"""

from array import array
from collections.abc import Iterable, Mapping

from jobqueue.admin.commands.selecting import listed
from jobqueue.broker.stats import JobStats
from jobqueue.job.note import FailureNote
from jobqueue.job.outcome import RetryPolicy
from jobqueue.operating import formatting
from jobqueue.operating.failures import is_last_kick

_DEFAULT = RetryPolicy().max_kicks or 0


class LastKicks:
    """Collects the ids of buried jobs that a kick is the last for, or may be.

    ``failures`` are the notes of the jobs' last failures, as of before the kick.
    """

    def __init__(self, failures: Mapping[int, FailureNote]) -> None:
        self._failures = failures
        self._certain = array("Q")  # there may be millions
        self._possible = array("Q")

    def add(self, jobs: Iterable[JobStats]) -> None:
        """Look at buried jobs."""
        for job in jobs:
            is_last = is_last_kick(job, self._failures.get(job.id))
            if is_last:
                self._certain.append(job.id)
            elif is_last is None:
                self._possible.append(job.id)

    def noted(self) -> list[int]:
        """Return the ids of all jobs that are noted to have one kick left."""
        return [job_id for job_id, note in self._failures.items() if note.last_kick]

    def sentences(self) -> list[str]:
        """Return what there is to say of the jobs."""
        found = []
        if self._certain:
            jobs = formatting.number_of(len(self._certain), "job")
            found.append(
                f"For {jobs} it is the last kick: if it fails again, such a job is "
                f"deleted ({listed(self._certain)})"
            )
        if self._possible:
            jobs = formatting.number_of(len(self._possible), "job")
            found.append(
                f"For {jobs} it is kick {_DEFAULT} or later: if it fails again, such a "
                "job is deleted, unless its task has another max_kicks "
                f"({listed(self._possible)})"
            )
        return found
