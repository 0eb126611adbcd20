"""Moving jobs: out of a tube into lines, and from lines into tubes."""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import groupby, islice

from jobqueue.admin import jsonl
from jobqueue.admin.jsonl import BadLineError, JobLine
from jobqueue.admin.screen.interrupts import Interrupted
from jobqueue.admin.search import Search
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import BrokerError, JobQueueError, PutManyError

BATCH = 500  # lines, and bodies: these may have 64 KiB each
# A job that is to be buried is put with a delay, so that no worker gets it before that.
DELAY_OF_BURIED = 3600  # seconds
_FIRST_TO_RESERVE_JOBS = (1, 12)


def exported(operator: OperatorConnection, search: Search) -> Iterator[list[bytes]]:
    """Yield the lines of the jobs that a search finds, some at a time."""
    for jobs in search.blocks():
        for start in range(0, len(jobs), BATCH):
            some = jobs[start : start + BATCH]
            bodies = operator.bodies(job.id for job in some)
            yield [
                jsonl.encode(job, body)
                for job, body in zip(some, list(bodies), strict=True)
                if body is not None  # else it has gone meanwhile
            ]


class ImportStoppedError(JobQueueError):
    """An import did not come to the end of its lines."""


class Import:
    """Puts the jobs of lines, and keeps count of what is done.

    ``next_line`` is the number of the first one that was not put; lines count from 1.
    ``unconfirmed`` is how many from there on may have been put all the same.
    """

    def __init__(
        self,
        operator: OperatorConnection,
        uninterrupted: AbstractContextManager[object],
    ) -> None:
        self._operator = operator
        self._uninterrupted = uninterrupted
        self.next_line = 1
        self.put = 0
        self.unconfirmed = 0
        self._can_bury = False

    def run(self, source: Iterable[bytes], first: int) -> Iterator[int]:
        """Put the jobs from this line on, and yield how many were, some at a time.

        Raises :class:`ImportStoppedError`, which names the line.
        """
        self.next_line = first
        remaining = islice(source, first - 1, None)
        while batch := list(islice(remaining, BATCH)):
            jobs, problem = _decoded(batch)
            before = self.put
            with self._uninterrupted:
                for tube, group in groupby(jobs, key=lambda job: job.tube):
                    self._put(tube, list(group))
            yield self.put - before
            if problem:
                raise ImportStoppedError(f"line {self.next_line}: {problem}")

    def _put(self, tube: str, jobs: list[JobLine]) -> None:
        first = self.next_line
        self._check_version(jobs)
        try:
            ids = self._operator.put_each(
                tube, [job.body for job in jobs], [_options(job) for job in jobs]
            )
        except PutManyError as error:
            taken = [job_id for n, job_id in error.ids.items() if n < error.index]
            self._count(jobs, taken)
            self.unconfirmed = error.unconfirmed
            self._take_back([n for i, n in error.ids.items() if i > error.index])
            problem = f"line {first + error.index}: {error.__cause__}"
            raise ImportStoppedError(problem) from error
        except BrokerError as error:
            raise ImportStoppedError(f"line {first}: {error}") from error
        except Interrupted:  # by a second signal, which does not wait
            self.unconfirmed = len(jobs)
            raise
        self._count(jobs, ids)

    def _check_version(self, jobs: list[JobLine]) -> None:
        """See that the broker can bury jobs: before 1.12 it lacks reserve-job."""
        if self._can_bury or not any(job.is_buried for job in jobs):
            return
        version = self._operator.server().version
        major, minor, *_ = [*map(int, re.findall(r"\d+", version)), 0, 0]
        if (major, minor) < _FIRST_TO_RESERVE_JOBS:
            raise ImportStoppedError(
                f"line {self.next_line}: buried jobs come from here on, and beanstalkd "
                f"{version} can't bury them: that needs 1.12"
            )
        self._can_bury = True

    def _count(self, jobs: list[JobLine], ids: list[int]) -> None:
        """Count the first jobs as put, by their ids, and bury those that were."""
        self.put += len(ids)
        self.next_line += len(ids)
        buried = [
            (job_id, job.options.priority)
            for job_id, job in zip(ids, jobs, strict=False)
            if job.is_buried
        ]
        if buried and self._operator.is_open:
            list(self._operator.bury_jobs(buried))  # all, whatever comes of one

    def _take_back(self, ids: list[int]) -> None:
        """Delete what was put behind a line at which the import is to go on."""
        if ids:
            self.unconfirmed += list(self._operator.delete_jobs(ids)).count(False)


def _options(job: JobLine) -> PutOptions:
    options = job.options
    return options._replace(delay=DELAY_OF_BURIED) if job.is_buried else options


def _decoded(batch: list[bytes]) -> tuple[list[JobLine], BadLineError | None]:
    """Return the jobs before the first line that is none, and what is wrong with it."""
    jobs = []
    for line in batch:
        try:
            jobs.append(jsonl.decode(line))
        except BadLineError as error:
            return jobs, error
    return jobs, None
