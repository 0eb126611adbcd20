"""Finding those jobs of a tube that pass a filter."""

from collections.abc import Iterator, Sequence

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobStats
from jobqueue.operating.filters import Filters
from jobqueue.operating.noted_jobs import NotedJobs
from jobqueue.operating.record import JobRecord
from jobqueue.operating.search import Search


class Finder:
    """Finds those of the jobs of a search that pass a filter. It changes nothing."""

    def __init__(
        self,
        connection: OperatorConnection,
        search: Search | NotedJobs,
        filters: Filters,
    ) -> None:
        self._connection = connection
        self._search = search
        self._filters = filters

    @property
    def looked_at(self) -> int:
        """How many jobs were looked at."""
        return self._search.found

    @property
    def total(self) -> int:
        """How many jobs to expect."""
        return self._search.total

    @property
    def without_note(self) -> int:
        """How many buried jobs were left out, as no note says why they failed."""
        search = self._search
        return search.without_note if isinstance(search, NotedJobs) else 0

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
