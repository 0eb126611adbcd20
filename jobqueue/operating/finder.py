"""Finding those jobs of a tube that pass a filter."""

from collections.abc import Iterator, Sequence

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import IncompleteSearchError
from jobqueue.operating.filters import Filters
from jobqueue.operating.notes import Notes
from jobqueue.operating.record import JobRecord
from jobqueue.operating.search import BLOCK, Search


class Finder:
    """Finds the jobs of a tube that are in some states and pass a filter.

    It changes nothing. ``notes`` are those about the tube's jobs; they are used if the
    filter needs them, and then no other job is looked at.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        tube: TubeStats,
        states: Sequence[JobState],
        filters: Filters,
        notes: Notes,
    ) -> None:
        self._connection = connection
        self._tube = tube.tube
        self._states = states
        self._filters = filters
        self._search: Search | _NotedJobs
        if filters.need_notes:
            last = notes.last_of_jobs()
            ids = sorted(i for i, note in last.items() if filters.passes_note(note))
            self._search = _NotedJobs(
                connection, self._tube, states, ids, missing_notes=notes.missing
            )
        else:
            self._search = Search(connection, tube, states)

    @property
    def looked_at(self) -> int:
        """How many jobs were looked at."""
        return self._search.found

    @property
    def total(self) -> int:
        """How many jobs to expect."""
        return self._search.total

    def blocks(self) -> Iterator[list[JobStats]]:
        """Yield the jobs that are found, a block at a time."""
        for jobs in self._search.blocks():
            if self._filters.need_bodies:
                yield [job.stats for job in self.with_bodies(jobs)]
            else:
                yield jobs

    def with_bodies(self, jobs: Sequence[JobStats]) -> Iterator[JobRecord]:
        """Yield those of the jobs that still exist and pass the filter.

        One body is held at a time.
        """
        bodies = self._connection.bodies(job.id for job in jobs)
        for stats, body in zip(jobs, bodies, strict=True):
            if body is None:  # the job has been deleted meanwhile
                continue
            job = JobRecord(stats, body)
            if self._filters.passes(job):
                yield job

    def check_complete(self) -> None:
        """Raise :class:`~jobqueue.errors.IncompleteSearchError` if jobs are missing."""
        self._search.check_complete()


class _NotedJobs:
    """Looks at jobs whose ids are known from notes of their failures."""

    def __init__(
        self,
        connection: OperatorConnection,
        tube: str,
        states: Sequence[JobState],
        ids: Sequence[int],
        *,
        missing_notes: int,
    ) -> None:
        self._connection = connection
        self._tube = tube
        self._missing_notes = missing_notes
        self._states = states
        self._ids = ids
        self.total = len(ids)
        self.found = 0

    def blocks(self) -> Iterator[list[JobStats]]:
        for start in range(0, self.total, BLOCK):
            ids = self._ids[start : start + BLOCK]
            jobs = self._connection.jobs_of(self._tube, ids)
            self.found += len(ids)
            yield [job for job in jobs if job.state in self._states]

    def check_complete(self) -> None:
        """Raise IncompleteSearchError if some notes could not be read."""
        if self._missing_notes:
            raise IncompleteSearchError(
                f"this is incomplete: {self._missing_notes:,} notes of failures could "
                "not be read, as another reader has them: try again"
            )
