"""Kicking or deleting all jobs of a state, from the first one on.

The server says which job of a state comes first; that one is kicked or deleted, and
then another comes first. So this needs no end of ids, and ends when there is none left.
Jobs that were put together lie together: those behind the first one are asked about in
the same breath, more of them the more there are, and then it is done to them at once.

beanstalkd has no command on a condition: a job that someone else kicks in these few
milliseconds, and that its worker releases with a delay, is kicked once more.
"""

from collections.abc import Callable, Iterable, Iterator

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobState

_MOST = 2_000  # ids that are asked about at a time

Act = Callable[[Iterable[int]], Iterator[bool]]


class Walk:
    """Does something to the jobs of one state that a tube has."""

    def __init__(
        self, operator: OperatorConnection, tube: str, state: JobState
    ) -> None:
        self._operator = operator
        self._tube = tube
        self._state = state
        self._seen: set[int] = set()

    def all(self, act: Act, count: int) -> Iterator[int]:
        """Do it to as many jobs, and yield how many were done, some at a time.

        Not to one that comes into the state again meanwhile. Which ones are done if
        there are more, is left open.
        """
        reach = 1
        while count > 0 and (first := self._next()) is not None:
            jobs = self._behind(first, reach)[:count]
            self._seen.update(jobs)
            done = sum(act(jobs))
            yield done
            count -= done
            dense = 2 * len(jobs) >= reach
            reach = min(reach * 2, _MOST) if dense else max(reach // 2, 1)

    def first(self, act: Act, count: int) -> Iterator[int]:
        """Do it to the jobs that come first, one by one."""
        while count > 0 and (first := self._next()) is not None:
            self._seen.add(first)
            done = sum(act([first]))
            yield done
            count -= done

    def _next(self) -> int | None:
        first = self._operator.first(self._tube, self._state)
        return None if first in self._seen else first

    def _behind(self, first: int, reach: int) -> list[int]:
        if reach == 1:
            return [first]
        ids = range(first, min(first + reach, MAX_JOB_ID + 1))
        jobs = self._operator.jobs_of(self._tube, ids)
        return [
            job.id
            for job in jobs
            if job.state == self._state and job.id not in self._seen
        ]
