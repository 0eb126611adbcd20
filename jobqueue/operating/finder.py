"""Finding those jobs of a tube that pass a filter."""

from collections.abc import Iterator, Mapping, Sequence

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.job.note import FailureNote
from jobqueue.operating.filters import Filters
from jobqueue.operating.record import JobRecord
from jobqueue.operating.search import BLOCK, Search


class Finder:
    """Finds the jobs of a tube that are in some states and pass a filter.

    It changes nothing. ``failures`` are the last ones of the tube's jobs, by id; they
    are used if the filter needs them, and then no other job is looked at.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        tube: TubeStats,
        states: Sequence[JobState],
        filters: Filters,
        failures: Mapping[int, FailureNote],
    ) -> None:
        self._connection = connection
        self._tube = tube.tube
        self._states = states
        self._filters = filters
        self._search: Search | _Noted
        if filters.need_notes:
            ids = [i for i, note in failures.items() if filters.passes_note(note)]
            self._search = _Noted(connection, self._tube, states, sorted(ids))
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


class _Noted:
    """Looks at jobs whose ids are known from notes of their failures."""

    def __init__(
        self,
        connection: OperatorConnection,
        tube: str,
        states: Sequence[JobState],
        ids: Sequence[int],
    ) -> None:
        self._connection = connection
        self._tube = tube
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
        """Do nothing: each of the jobs was asked about."""
