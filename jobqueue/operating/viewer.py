"""Viewer: looks at the tubes, the jobs and the failures that the broker has."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from jobqueue.broker.checks import whole_number
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating.apart import (
    check_job_tube,
    notes_tubes,
    with_failures,
    without_notes,
)
from jobqueue.operating.failure_viewer import FailureViewer
from jobqueue.operating.filters import Filters, check_filters, check_states
from jobqueue.operating.finder import Finder
from jobqueue.operating.noted_jobs import NotedJobs
from jobqueue.operating.notes import Notes
from jobqueue.operating.paging import JobPage, PagedSearch, page_of
from jobqueue.operating.rates import Sample
from jobqueue.operating.record import JobRecord
from jobqueue.operating.rest import Rest
from jobqueue.operating.schedules import ScheduleRecord, read_schedules
from jobqueue.operating.search import Search


class Viewer(FailureViewer):
    """Looks at the tubes, the jobs and the failures that a beanstalkd has."""

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
        """Return the counts of these tubes, or of all; leave out names without one.

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
        """Yield what finds the jobs of a tube; None if there is no such tube.

        >>> with operator.finding("emails", [JobState.BURIED], Filters()) as finder:
        ...     print([[job.id for job in block] for block in finder.blocks()])
        [[2]]
        """
        notes = self.notes(tube) if filters.need_notes else Notes([])
        with self._connections.taken() as connection:
            counts = connection.tube(check_job_tube(tube))
            if counts is None:
                yield None
                return
            search: Search | NotedJobs = (
                NotedJobs(connection, counts, states, filters=filters, notes=notes)
                if filters.need_notes
                else Search(connection, counts, states)
            )
            yield Finder(connection, search, filters)

    def page(
        self,
        tube: str,
        *states: str,
        rest: str | None = None,
        limit: int = 100,
        seconds: float = 1.0,
        func_name: str | None = None,
        containing: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
    ) -> JobPage:
        """Return some of the jobs that :meth:`jobs` would yield, and how far it came.

        A page has ``limit`` jobs at the most, and fewer if the search takes longer than
        ``seconds``. To go on, give the same arguments, and the page's ``rest``: text,
        fit for a URL, that any other process can go on with.

        >>> page = operator.page("emails", limit=2)
        >>> len(page.jobs), page.looked_at, page.total
        (2, 2, 3)
        >>> page = operator.page("emails", limit=2, rest=page.rest)
        >>> len(page.jobs), page.looked_at, page.rest
        (1, 3, None)
        """
        filters = check_filters(func_name, containing, error, since)
        wanted = check_states(states)
        whole_number("limit", limit, least=1, most=None)
        before = None if rest is None else Rest.decode(rest)
        notes = self.notes(tube) if filters.need_notes else Notes([])
        with self._connections.taken() as connection:
            counts = connection.tube(check_job_tube(tube))
            if counts is None:
                return JobPage([], 0, 0, None)
            search = (
                NotedJobs(
                    connection,
                    counts,
                    wanted,
                    filters=filters,
                    notes=notes,
                    rest=before,
                )
                if filters.need_notes
                else PagedSearch(connection, counts, wanted, before)
            )
            finder = Finder(connection, search, filters)
            return page_of(finder, search, limit, seconds)

    def schedules(self) -> list[ScheduleRecord]:
        """Return the schedules of the periodic tasks, in the order they are due.

        Their ticks say it, which workers keep in the broker. What they say may come
        from anybody: escape it where you show it.

        >>> for schedule in operator.schedules():
        ...     print(schedule.name, schedule.definition, schedule.workers)
        reports/nightly every 86400 s 0
        """
        with self._connections.taken() as connection:
            return read_schedules(connection)

    def job_records(self, *ids: int) -> list[JobRecord | None]:
        """Return each of these jobs; None for one that does not exist.

        >>> [job and job.kwargs for job in operator.job_records(1, 99)]
        [{'to': 'ada'}, None]
        """
        with self._connections.taken() as connection:
            counts = list(connection.jobs(ids))
            return [
                JobRecord(stats, body) if stats and body is not None else None
                for stats, body in zip(counts, connection.bodies(ids), strict=True)
            ]

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
