"""NotedJobs: the jobs that notes of failures are about."""

from collections.abc import Iterator, Sequence

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import IncompleteSearchError
from jobqueue.operating.filters import Filters
from jobqueue.operating.notes import Notes
from jobqueue.operating.rest import Rest
from jobqueue.operating.search import BLOCK

_NO_COUNTS = [0] * 6


class NotedJobs:
    """Looks at the jobs of a tube whose last failure, as it is noted, passes a filter.

    It changes nothing, and looks at no other job. With the ``rest`` of an earlier
    search, it goes on after that.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        tube: str,
        states: Sequence[JobState],
        *,
        filters: Filters,
        notes: Notes,
        rest: Rest | None = None,
    ) -> None:
        self._connection = connection
        self._tube = tube
        self._states = states
        self._missing_notes = notes.missing
        last = notes.last_of_jobs()
        ids = sorted(i for i, note in last.items() if filters.passes_note(note))
        first = rest.gaps[0][0] if rest else 0
        self._ids = [job_id for job_id in ids if job_id >= first]
        self.found = len(ids) - len(self._ids)  # jobs that were looked at
        self.total = len(ids)

    def blocks(self) -> Iterator[list[JobStats]]:
        """Yield the jobs that are in the states, a block at a time."""
        while self._ids:
            ids, self._ids = self._ids[:BLOCK], self._ids[BLOCK:]
            self.found += len(ids)
            jobs = self._connection.jobs_of(self._tube, ids)
            yield [job for job in jobs if job.state in self._states]

    def give_back(self, jobs: Sequence[JobStats]) -> None:
        """Take the last jobs of a block back, to look at them again next."""
        self._ids[:0] = [job.id for job in jobs]
        self.found -= len(jobs)

    def rest(self) -> Rest | None:
        """Return what is left of the search; None if it is over."""
        if not self._ids:
            return None
        gaps = [(self._ids[0], MAX_JOB_ID)]
        return Rest(0, 0, MAX_JOB_ID, True, 0, self.found, _NO_COUNTS, gaps)  # noqa: FBT003

    def check_complete(self) -> None:
        """Raise IncompleteSearchError if some notes could not be read."""
        if self._missing_notes:
            raise IncompleteSearchError(
                f"this is incomplete: {self._missing_notes:,} notes of failures could "
                "not be read, as another reader has them: try again"
            )
