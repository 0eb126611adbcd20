"""LastKicks: which jobs a kick is the last for, as they are deleted if they fail again.

That depends on the ``max_kicks`` of a job's task, which only workers know. They note it
with the job's failure. Where there is no note, ``max_kicks`` may have its default.
"""

from array import array
from collections.abc import Iterable, Mapping

from jobqueue.admin.commands.selecting import listed
from jobqueue.broker.stats import JobStats
from jobqueue.job.note import FailureNote
from jobqueue.operating.last_kicks import is_last_kick, of_certain, of_possible


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
        kinds = (self._certain, of_certain), (self._possible, of_possible)
        return [f"{told(len(ids))} ({listed(ids)})" for ids, told in kinds if ids]
