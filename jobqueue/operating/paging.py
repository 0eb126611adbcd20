"""A search for jobs that is done in parts, a page each: JobPage.

The parts may be searched by different processes, as those of a web server are, and long
after one another. So all that the next part needs is in a short text, which may go into
a URL.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.broker.clock import clock
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating.finder import Finder
from jobqueue.operating.id_blocks import IdBlocks
from jobqueue.operating.record import JobRecord
from jobqueue.operating.rest import Rest
from jobqueue.operating.search import PATIENCE, Search

if TYPE_CHECKING:
    from jobqueue.operating.noted_jobs import NotedJobs

_BATCH = 100  # jobs whose bodies are asked for together


class JobPage(NamedTuple):
    """Some of the jobs that a search finds, and how far it has come.

    ``looked_at`` is how many jobs were looked at, those of the pages before included,
    and ``total`` how many there are, whether they pass the filters or not. ``rest`` is
    what to call :meth:`Operator.page <jobqueue.Operator.page>` with for the next page;
    None after the last. A page may have no jobs, and not be the last.
    """

    jobs: list[JobRecord]
    looked_at: int
    total: int
    rest: str | None


def page_of(
    finder: Finder, search: "PagedSearch | NotedJobs", limit: int, seconds: float
) -> JobPage:
    """Search on until there are ``limit`` jobs, or the time is over.

    It looks at some jobs at least, however short the time is.
    """
    end = clock() + seconds
    found: list[JobRecord] = []
    for jobs in search.blocks():
        left = jobs
        while left and len(found) < limit and (left is jobs or clock() < end):
            size = min(_BATCH, limit - len(found))
            found += finder.with_bodies(left[:size])
            left = left[size:]
        search.give_back(left)
        if len(found) >= limit or clock() >= end:
            break
    rest = search.rest()
    text = None if rest is None else rest.encode()
    return JobPage(found, search.found, search.total, text)


class PagedSearch(Search):
    """A search that goes on where an earlier one has stopped.

    It knows how many jobs that one has seen, but not which. So if jobs came or went
    meanwhile, it ends only when each id is asked about. After a restart of the broker,
    which may have given ids anew, it begins again.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        tube: TubeStats,
        states: Sequence[JobState],
        rest: Rest | None,
    ) -> None:
        super().__init__(connection, tube, states)
        self._before = 0  # jobs found
        self._counts_before: list[int] = []
        if rest is not None and rest.server == self._server.pid:
            self._before = rest.looked_at
            self._counts_before = list(rest.counts)
            self._jobless_ids = rest.jobless
            self._is_last_id_known = rest.is_last_known
            self._ids = IdBlocks.of_gaps(rest.gaps, rest.last)
            if rest.is_last_known:
                last = rest.last + self._server.puts - rest.puts
                self._ids.extend(min(last, MAX_JOB_ID))

    @property
    def found(self) -> int:
        """How many jobs were found, those of earlier parts included."""
        return self._before + super().found

    def rest(self) -> Rest | None:
        """Return what is left of the search; None if it is over."""
        gaps = self._ids.gaps
        is_vain = not self._is_last_id_known and self._jobless_ids > PATIENCE
        if self._is_over or is_vain or not gaps or not self._count_missing():
            return None
        return Rest(
            server=self._server.pid,
            puts=self._server.puts,
            last=self._ids.last,
            is_last_known=self._is_last_id_known,
            jobless=self._jobless_ids,
            looked_at=self.found,
            counts=self._counts_before or self._checked_counts,
            gaps=gaps,
        )

    def give_back(self, jobs: Sequence[JobStats]) -> None:
        """Take the last jobs of a block back, to find them again next."""
        if jobs:
            del self._found[-len(jobs) :]
            self._ids.give_back(jobs[0].id, jobs[-1].id)

    def _look_back(self) -> list[JobStats]:
        return []  # else what is left might be any of a million ids

    def _count_missing(self) -> int:
        if not self._before:
            return super()._count_missing()
        is_certain = self._counts == self._counts_before
        return max(0 if is_certain else 1, self.wanted - self.found)
