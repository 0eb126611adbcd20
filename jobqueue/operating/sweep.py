"""Kicking or deleting all jobs of a state, without knowing their ids beforehand.

The broker says which job of a state comes first. When that job is kicked or deleted,
another one comes first, so the sweep ends when no job is left. Jobs that were put
together have neighbouring ids. So a step also asks about some ids after the first job,
and changes those jobs as well. The more jobs the last step found, the more ids the next
one asks about.

beanstalkd has no command with a condition. A buried job that someone else kicks within
these few milliseconds, and that its worker then releases with a delay, is kicked again.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import BrokerError

LARGEST_STEP = 2_000  # jobs, and ids that are asked about at a time

Change = Callable[[Iterable[int]], Iterator[bool]]


class Sweep:
    """Changes the jobs of one state that a tube has, each of them once at most."""

    def __init__(
        self, connection: OperatorConnection, tube: str, state: JobState
    ) -> None:
        self._connection = connection
        self._tube = tube
        self._state = state
        self._seen = _Ids()

    def in_any_order(self, change: Change, count: int) -> Iterator[list[JobStats]]:
        """Change up to ``count`` jobs, and yield after each step those it changed.

        Their counts are those of just before. A job that enters the state again
        meanwhile is left alone.
        """
        reach = 1
        while count > 0 and (first := self._next()) is not None:
            jobs = self._jobs_from(first, reach)[:count]
            self._seen.add([first])
            changed = self._changed(change, jobs)
            yield changed
            count -= len(changed)
            is_dense = 2 * len(jobs) >= reach
            reach = min(reach * 2, LARGEST_STEP) if is_dense else max(reach // 2, 1)

    def in_order(self, change: Change, count: int) -> Iterator[list[JobStats]]:
        """Change the ``count`` jobs that come first, one by one."""
        while count > 0 and (first := self._next()) is not None:
            jobs = self._jobs_from(first, 1)
            self._seen.add([first])
            changed = self._changed(change, jobs)
            yield changed
            count -= len(changed)

    def _changed(self, change: Change, jobs: list[JobStats]) -> list[JobStats]:
        """Change jobs, and return those that were still there to be changed."""
        ids = [job.id for job in jobs]
        self._seen.add(ids)
        try:
            return list(compress(jobs, list(change(ids))))
        except BrokerError as error:
            error.in_doubt = tuple(ids)
            raise

    def _next(self) -> int | None:
        first = self._connection.first(self._tube, self._state)
        return None if first is None or first in self._seen else first

    def _jobs_from(self, first: int, reach: int) -> list[JobStats]:
        """Return the first job, and those among the ids after it."""
        ids = range(first, min(first + reach, MAX_JOB_ID + 1))
        return [
            job
            for job in self._connection.jobs_of(self._tube, ids)
            if job.state == self._state and job.id not in self._seen
        ]


class _Ids:
    """Ids of jobs, in their order, in eight bytes each: there may be millions."""

    def __init__(self) -> None:
        self._ids = array("Q")

    def add(self, ids: Sequence[int]) -> None:
        """Add ids, which are in their order and close together."""
        if not ids:
            return
        begin = bisect_left(self._ids, ids[0])
        end = bisect_right(self._ids, ids[-1])
        self._ids[begin:end] = array("Q", sorted({*self._ids[begin:end], *ids}))

    def __contains__(self, job_id: int) -> bool:
        place = bisect_left(self._ids, job_id)
        return place < len(self._ids) and self._ids[place] == job_id
