"""Finding the jobs of a tube. beanstalkd has no list of them: each id is asked about.

The last id: a server that starts empty numbers jobs from 1. Every ``put`` command takes
an id, so the last id is at most the server's count of those. (``total-jobs`` is less: a
put whose body is cut short takes an id, too.) A server with a binlog continues after
the last id in that binlog, which it doesn't say. But a job that is younger than the
server was put since its start, so the last id is at most that job's id plus the count
of puts.
"""

from array import array
from collections.abc import Iterator, Sequence

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import IncompleteSearchError
from jobqueue.operating.id_blocks import IdBlocks

BLOCK = 5_000  # ids
PATIENCE = 10_000_000  # ids in a row without a job, while the last id is unknown


class Search:
    """Finds the jobs of a tube that are in some states, and changes nothing.

    >>> for jobs in search.blocks():
    ...     print(jobs)
    >>> search.missing
    0
    """

    def __init__(
        self,
        connection: OperatorConnection,
        tube: TubeStats,
        states: Sequence[JobState],
    ) -> None:
        self._connection = connection
        self._tube = tube.tube
        self._states = states
        self._found = array("Q")  # ids: eight bytes each
        self._jobless_ids = 0  # in a row
        self._is_over = False  # all jobs are found, or all ids asked about
        self.wanted = tube.jobs_in(states)
        self._counts = _counts(tube)  # as of the last block
        self._checked_counts = self._counts  # as of the last check of the found jobs
        self._server = connection.server()
        firsts = (connection.first(self._tube, state) for state in JobState)
        known = {job_id for job_id in firsts if job_id is not None}
        last = MAX_JOB_ID if self._server.has_binlog else self._server.puts
        self._is_last_id_known = not self._server.has_binlog
        self._ids = IdBlocks(known, last)
        # Only while the last id is unknown:
        self._passed = array("Q")  # jobs of the tube that were in another state
        self._passed_counts = self._counts  # as of the last look at these
        self._asked_since = 0  # ids
        self._newest = 0  # of all ids that are jobs

    @property
    def found(self) -> int:
        """How many jobs were found, without those that were seen to go again."""
        return len(self._found)

    @property
    def total(self) -> int:
        """How many jobs to expect."""
        return max(self.wanted, self.found)

    @property
    def missing(self) -> int:
        """How many jobs were not found, at least."""
        return 0 if self._is_over else max(0, self.wanted - self.found)

    def blocks(self) -> Iterator[list[JobStats]]:
        """Yield the jobs that are found, a block at a time."""
        while self._count_missing():
            if not self._is_last_id_known and self._jobless_ids > PATIENCE:
                return
            ids = self._ids.block(BLOCK)
            if not ids:  # what still seems to be missing came or went meanwhile
                break
            yield self._jobs_among(ids)
            self._update_counts()
        self._is_over = True

    def check_complete(self) -> None:
        """Raise :class:`~jobqueue.errors.IncompleteSearchError` if jobs are missing."""
        if self.missing:
            jobs = "job" if self.missing == 1 else "jobs"
            raise IncompleteSearchError(
                f"this is incomplete: {self.missing:,} more {jobs} should exist, but "
                "this server does not say what its last job id is, and the ids lie too "
                "far apart to ask about each"
            )

    def _jobs_among(self, ids: range) -> list[JobStats]:
        if self._is_last_id_known:
            found = self._connection.jobs_of(self._tube, ids)
        else:
            found = self._learn_last_id(ids)
        if not found:
            self._ids.turn()
            found = self._look_back()
        wanted = [job for job in found if job.state in self._states]
        self._found.extend(job.id for job in wanted)
        if not self._is_last_id_known:
            others = (job.id for job in found if job.state not in self._states)
            self._passed.extend(others)
        return wanted

    def _learn_last_id(self, ids: Sequence[int]) -> list[JobStats]:
        """Learn the last id from jobs of all tubes, and return those of this tube."""
        jobs = [job for job in self._connection.jobs(ids) if job]
        self._jobless_ids = 0 if jobs else self._jobless_ids + len(ids)
        self._asked_since += len(ids)
        self._newest = max(self._newest, *(job.id for job in jobs), 0)
        young = [job.id for job in jobs if job.age < self._server.uptime]
        if young:
            self._is_last_id_known = True
            self._ids.cut(min(young) - 1 + self._server.puts)
        return [job for job in jobs if job.tube == self._tube]

    def _look_back(self) -> list[JobStats]:
        """Return the jobs that were in another state when their ids were asked about.

        A job that seems to be missing may have changed its state since then, or come.
        While the last id is unknown, the search would go on for it through millions of
        ids. So if jobs came or went, this asks again about those that it has passed,
        and about the ids after the newest job, from which it may learn the last id.
        """
        is_over = self._is_last_id_known or self._counts == self._passed_counts
        # Not after each block: it takes as long as the search up to here.
        if is_over or self._asked_since < len(self._passed):
            return []
        jobless_ids = self._jobless_ids
        passed, self._passed = self._passed, array("Q")
        self._passed_counts = self._counts
        found: list[JobStats] = []
        for start in range(0, len(passed), BLOCK):
            found += self._learn_last_id(passed[start : start + BLOCK])
        self._learn_last_id(range(self._newest + 1, self._newest + 1 + BLOCK))
        self._jobless_ids, self._asked_since = jobless_ids, 0
        return found

    def _update_counts(self) -> None:
        """Ask how many jobs the tube has now, and how many ids the server has given."""
        tube = self._connection.tube(self._tube)
        self.wanted = tube.jobs_in(self._states) if tube else 0
        self._counts = _counts(tube)
        server = self._connection.server()
        if self._is_last_id_known:
            self._ids.extend(self._ids.last + server.puts - self._server.puts)
        self._server = server

    def _count_missing(self) -> int:
        """Return how many jobs are still to be found.

        Before the answer is 0, the jobs found are asked about again if any job of the
        tube came or went: some of them may be gone, and others may have come.
        """
        if self.found < self.wanted:
            return self.wanted - self.found
        if self._counts != self._checked_counts:
            self._checked_counts = self._counts
            self._look_again()
        return max(0, self.wanted - self.found)

    def _look_again(self) -> None:
        """Drop those of the found jobs that have gone."""
        ids, self._found = self._found, array("Q")
        for start in range(0, len(ids), BLOCK):
            found = self._connection.jobs_of(self._tube, ids[start : start + BLOCK])
            self._found.extend(job.id for job in found if job.state in self._states)


def _counts(tube: TubeStats | None) -> list[int]:
    """Return counts that change when a job enters or leaves a tube or a state."""
    if tube is None:
        return []
    return [*(tube.jobs_in([state]) for state in JobState), tube.puts, tube.deletes]
