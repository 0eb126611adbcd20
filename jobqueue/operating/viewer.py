"""Viewer: looks at the tubes, the jobs and the failures that the broker has."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from jobqueue.broker.address import Address
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.job.note import FailureNote
from jobqueue.job.note_tubes import is_notes_tube
from jobqueue.operating.apart import (
    check_job_tube,
    notes_tubes,
    with_failures,
    without_notes,
)
from jobqueue.operating.connections import Connections
from jobqueue.operating.failures import FailureGroup, grouped
from jobqueue.operating.filters import Filters, check_filters, check_states
from jobqueue.operating.finder import Finder
from jobqueue.operating.notes import Notes, read_notes
from jobqueue.operating.rates import Sample
from jobqueue.operating.record import JobRecord


class Viewer:
    """Looks at the tubes, the jobs and the failures that a beanstalkd has."""

    def __init__(self, url: str | None = None) -> None:
        self._connections = Connections(url)

    @property
    def address(self) -> Address:
        """Where the broker is."""
        return self._connections.address

    def server(self) -> ServerStats:
        """Return the counts and the settings of the broker itself.

        Its jobs are counted without the notes of failures, which it holds as well.

        >>> operator.server().ready
        1
        """
        with self._connections.taken() as connection:
            tubes = connection.tube_stats(connection.tubes())
            return without_notes(connection.server(), filter(None, tubes))

    def tubes(self, *names: str) -> list[TubeStats]:
        """Return the counts of these tubes, or of all; a tube that is none is left out.

        A tube exists only while it has jobs, or while a client uses or watches it.

        >>> [(tube.tube, tube.ready, tube.delayed) for tube in operator.tubes()]
        [('default', 0, 0), ('emails', 1, 1)]
        """
        asked = [
            *map(check_job_tube, names),
            *(notes for name in names for notes in notes_tubes(name)),
        ]
        with self._connections.taken() as connection:
            tubes = connection.tube_stats(asked or connection.tubes())
            return with_failures(filter(None, tubes))

    def tube(self, name: str) -> TubeStats | None:
        """Return the counts of a tube; None if there is no such tube.

        >>> tube = operator.tube("emails")
        >>> tube.ready, tube.delayed, tube.reserved, tube.buried
        (1, 1, 0, 1)
        """
        return next(iter(self.tubes(name)), None)

    def sample(self) -> Sample:
        """Return the counts of the broker and of all its tubes, as of one moment.

        It asks for the counts alone, many in a write, and looks at no job.

        >>> sample = operator.sample()
        >>> sample.server.ready, sample.tubes["emails"].buried
        (1, 1)
        """
        with self._connections.taken() as connection:
            return Sample.take(connection)

    def next_ready(self, *tubes: str) -> list[JobStats]:
        """Return the next ready job of each of these tubes that has one.

        beanstalkd has no answer without the job's body, so that each body is read, and
        left out.

        >>> [(job.tube, job.id) for job in operator.next_ready("emails", "default")]
        [('emails', 1)]
        """
        names = [check_job_tube(tube) for tube in tubes]
        with self._connections.taken() as connection:
            return connection.next_ready(names)

    def jobs(
        self,
        tube: str,
        *states: str,
        func_name: str | None = None,
        containing: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
    ) -> Iterator[JobRecord]:
        """Yield the jobs of a tube that are in these states, or in any.

        ``func_name`` is that of the task's function, and ``containing`` a text that is
        in the job's body. ``error``, the name of a class, and ``since``, a datetime
        with a timezone, are about the job's last failure: jobs without a note of one
        are left out. There are no jobs in a tube that does not exist.

        beanstalkd has no list of its jobs: each id is asked about, thousands at a time,
        until there are as many jobs as the tube has. Raises
        :class:`~jobqueue.errors.IncompleteSearchError` at the end if some were not
        found. They come in no particular order.

        >>> for job in operator.jobs("emails", "buried", error="ValueError"):
        ...     print(job.id, job.func_name, job.kwargs, job.stats.kicks)
        2 send {'to': 'nobody'} 0
        """
        filters = check_filters(func_name, containing, error, since)
        return self._jobs(check_job_tube(tube), check_states(states), filters)

    def _jobs(
        self, tube: str, states: list[JobState], filters: Filters
    ) -> Iterator[JobRecord]:
        with self.finding(tube, states, filters) as finder:
            if finder is not None:
                for jobs in finder.blocks():
                    yield from finder.with_bodies(jobs)
                finder.check_complete()

    @contextmanager
    def finding(
        self, tube: str, states: list[JobState], filters: Filters
    ) -> Iterator[Finder | None]:
        """Yield what finds the jobs of a tube; None if there is no such tube."""
        notes = self.notes(tube) if filters.need_notes else Notes([])
        with self._connections.taken() as connection:
            counts = connection.tube(check_job_tube(tube))
            yield counts and Finder(connection, counts, states, filters, notes)

    def job(self, job_id: int) -> JobRecord | None:
        """Return a job; None if there is no such job: it was done, or deleted.

        >>> job = operator.job(1)
        >>> job.tube, job.state, job.func_name, job.kwargs
        ('emails', <JobState.READY: 'ready'>, 'send', {'to': 'ada'})
        >>> operator.job(99) is None
        True
        """
        with self._connections.taken() as connection:
            found = connection.job(job_id)
        return JobRecord(*found) if found else None

    def job_stats(self, *ids: int) -> list[JobStats | None]:
        """Return the counts of each of these jobs; None for one that does not exist.

        >>> [stats and stats.state.value for stats in operator.job_stats(1, 2, 99)]
        ['ready', 'buried', None]
        """
        with self._connections.taken() as connection:
            return list(connection.jobs(ids))

    def failures(
        self,
        tube: str | None = None,
        *,
        func_name: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
    ) -> list[FailureNote]:
        """Return the failures of a tube's jobs, or of all jobs, the oldest first.

        These are the notes that workers keep in the broker: of the last 1,000 jobs of
        each tube that were buried, or deleted for their kicks, and of as many retries.
        What they say may come from anybody: escape it where you show it.

        >>> for failure in operator.failures("emails", error="ValueError"):
        ...     print(failure.job_id, failure.error, failure.error_text, failure.kind)
        2 ValueError no such address buried
        """
        filters = check_filters(func_name, None, error, since)
        notes = self.notes(tube).noted
        return [note for _, note in notes if filters.passes_failure(note)]

    def failure_groups(
        self,
        tube: str | None = None,
        *,
        func_name: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
    ) -> list[FailureGroup]:
        """Return the failures by tube, function and error, the most frequent first.

        >>> for group in operator.failure_groups():
        ...     print(group.tube, group.func_name, group.error, group.buried)
        emails send ValueError 1
        """
        failures = self.failures(tube, func_name=func_name, error=error, since=since)
        ids = list({failure.job_id for failure in failures})
        return grouped(failures, dict(zip(ids, self.job_stats(*ids), strict=True)))

    def failure(self, job_id: int) -> FailureNote | None:
        """Return the last failure of a job, which may be deleted; None without a note.

        >>> operator.failure(2).error_text
        'no such address'
        """
        return self.notes_about(job_id).last_of_jobs().get(job_id)

    def notes(self, tube: str | None = None) -> Notes:
        """Return the notes of the failures in a tube, or in all tubes, as they are."""
        tubes = None if tube is None else [check_job_tube(tube)]
        return read_notes(self.address, tubes)

    def notes_about(self, job_id: int) -> Notes:
        """Return the notes of the failures of a job, which may be deleted."""
        (stats,) = self.job_stats(job_id)
        if stats is None or is_notes_tube(stats.tube):
            return read_notes(self.address, about=job_id)
        if not (stats.buries or stats.releases):  # it has not failed
            return Notes([])
        return read_notes(self.address, [stats.tube], about=job_id)

    def close(self) -> None:
        """Close the open connections; a later call makes a new one."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
