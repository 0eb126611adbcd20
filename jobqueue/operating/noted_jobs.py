"""NotedJobs: the jobs that notes of failures are about."""

from collections.abc import Iterator, Sequence

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import IncompleteSearchError
from jobqueue.operating.filters import Filters
from jobqueue.operating.notes import Notes
from jobqueue.operating.rest import Rest
from jobqueue.operating.search import BLOCK


class NotedJobs:
    """Looks at the jobs of a tube whose last failure, as it is noted, passes a filter.

    It changes nothing, and looks at no job without a note. With the ``rest`` of an
    earlier search, it goes on after that.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        tube: TubeStats,
        states: Sequence[JobState],
        *,
        filters: Filters,
        notes: Notes,
        rest: Rest | None = None,
    ) -> None:
        self._connection = connection
        self._tube = tube.tube
        self._states = states
        self._missing_notes = notes.missing
        last = notes.last_of_jobs()
        self._passing = {i for i, note in last.items() if filters.passes_note(note)}
        first = rest.gaps[0][0] if rest else 0
        self._ids = sorted(job_id for job_id in last if job_id >= first)
        self._block: list[int] = []
        self.found = len(last) - len(self._ids)  # jobs that were looked at
        self.total = len(last)
        # Buried jobs of which no note was seen yet:
        self._without_note = tube.buried if JobState.BURIED in states else 0

    @property
    def without_note(self) -> int:
        """How many buried jobs have no note, once all blocks have been looked at."""
        return max(0, self._without_note)

    def blocks(self) -> Iterator[list[JobStats]]:
        """Yield the jobs that are in the states, a block at a time."""
        while self._ids:
            self._block, self._ids = self._ids[:BLOCK], self._ids[BLOCK:]
            self.found += len(self._block)
            jobs = self._connection.jobs_of(self._tube, self._block)
            self._without_note -= sum(job.state is JobState.BURIED for job in jobs)
            yield [
                job
                for job in jobs
                if job.state in self._states and job.id in self._passing
            ]

    def give_back(self, jobs: Sequence[JobStats]) -> None:
        """Take the last jobs of a block back, to look at them again next."""
        if jobs:
            ids = [job_id for job_id in self._block if job_id >= jobs[0].id]
            self._ids[:0] = ids
            self.found -= len(ids)

    def rest(self) -> Rest | None:
        """Return what is left of the search; None if it is over."""
        if not self._ids:
            return None
        return Rest.after_notes(self._ids[0], looked_at=self.found)

    def check_complete(self) -> None:
        """Raise IncompleteSearchError if some notes could not be read."""
        if self._missing_notes:
            raise IncompleteSearchError(
                f"this is incomplete: {self._missing_notes:,} notes of failures could "
                "not be read, as another reader has them: try again"
            )
