"""Finding a tube's jobs, which beanstalkd gives no list of: each id is asked about.

Where ids end: the server numbers jobs one by one, from 1 when it starts empty. Each id
was taken by a ``put`` command, so there are no more ids than it has counted of those.
(``total-jobs`` is less: a put that breaks off takes an id, too.) A server that has read
a binlog goes on after the last id in it, which it does not tell. But a job that is
younger than the server was put since: no id is further behind it than so many puts.
"""

from collections.abc import Iterator, Sequence

from jobqueue.admin.ids import Ids
from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobRecord, JobState, TubeStats

BLOCK = 5_000  # ids
PATIENCE = 10_000_000  # ids in a row without a job, where the end is not known


class Search:
    """Looks for the jobs of a tube that are in some states, and changes nothing.

    >>> for jobs in search.blocks():
    ...     print(jobs)
    >>> search.missing
    0
    """

    def __init__(
        self, operator: OperatorConnection, tube: TubeStats, states: Sequence[JobState]
    ) -> None:
        self._operator = operator
        self._tube = tube.tube
        self._states = states
        self._found: list[int] = []
        self._idle = 0  # ids in a row without any job
        self._is_over = False  # found all, or looked everywhere
        self.wanted = tube.count(states)
        self._had = _signature(tube)
        self._has = self._had
        self._server = operator.server()
        firsts = (operator.first(self._tube, state) for state in JobState)
        known = {job_id for job_id in firsts if job_id is not None}
        last = MAX_JOB_ID if self._server.has_binlog else self._server.puts
        self._is_end_known = not self._server.has_binlog
        self._ids = Ids(known, last)

    @property
    def found(self) -> int:
        """How many jobs were found that are still there, as far as is known."""
        return len(self._found)

    @property
    def total(self) -> int:
        """How many jobs to expect."""
        return max(self.wanted, self.found)

    @property
    def missing(self) -> int:
        """How many jobs were not found, at least."""
        return 0 if self._is_over else max(0, self.wanted - self.found)

    def blocks(self) -> Iterator[list[JobRecord]]:
        """Yield the jobs that were found, some at a time."""
        while not self._is_complete():
            if not self._is_end_known and self._idle > PATIENCE:
                return
            ids = self._ids.block(BLOCK)
            if not ids:  # what seems to be missing has gone, or come, meanwhile
                break
            yield self._look_at(ids)
            self._follow()
        self._is_over = True

    def _look_at(self, ids: range) -> list[JobRecord]:
        if self._is_end_known:
            found = self._operator.jobs_of(self._tube, ids)
        else:
            found = self._look_for_the_end(ids)
        if not found:
            self._ids.turn()
        wanted = [job for job in found if job.state in self._states]
        self._found += (job.id for job in wanted)
        return wanted

    def _look_for_the_end(self, ids: range) -> list[JobRecord]:
        """Learn from the jobs of all tubes where ids end, and return those of ours."""
        jobs = [job for job in self._operator.jobs(ids) if job]
        self._idle = 0 if jobs else self._idle + len(ids)
        young = [job.id for job in jobs if job.age < self._server.uptime]
        if young:
            self._is_end_known = True
            self._ids.cut(min(young) - 1 + self._server.puts)
        return [job for job in jobs if job.tube == self._tube]

    def _follow(self) -> None:
        """Take note of what came and went meanwhile."""
        tube = self._operator.tube(self._tube)
        self.wanted = tube.count(self._states) if tube else 0
        self._has = _signature(tube)
        server = self._operator.server()
        if self._is_end_known:
            self._ids.extend(self._ids.last + server.puts - self._server.puts)
        self._server = server

    def _is_complete(self) -> bool:
        """Tell whether as many jobs were found as there are."""
        if self.found < self.wanted:
            return False
        if self._has != self._had:  # some of those found may be gone by now
            self._had = self._has
            found = self._operator.jobs_of(self._tube, self._found)
            self._found = [job.id for job in found if job.state in self._states]
        return self.found >= self.wanted


def _signature(tube: TubeStats | None) -> list[int]:
    """Return counts that change when a job comes to a tube or a state, or leaves it."""
    if tube is None:
        return []
    return [*(tube.count([state]) for state in JobState), tube.puts, tube.deletes]
