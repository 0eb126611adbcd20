"""Putting the jobs of an export, with a count of the lines that are done."""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import groupby, islice

from jobqueue.admin import jsonl
from jobqueue.admin.jsonl import BadLineError, JobLine
from jobqueue.admin.screen.interrupts import Interrupted
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import BrokerError, JobQueueError, PutManyError

_BATCH = 500  # lines: each may have 64 KiB
# A job that is to be buried is put with a delay, so that no worker gets it before.
_DELAY_OF_BURIED = 3600  # seconds
_FIRST_WITH_RESERVE_JOB = (1, 12)  # the version of beanstalkd


class ImportStoppedError(JobQueueError):
    """An import stopped before the end of its lines."""


class Importer:
    """Puts the jobs of an export from line ``first`` on, one per line, and counts them.

    ``next_line`` is the number of the first line whose job was not put; lines are
    numbered from 1. ``unconfirmed`` is how many jobs from that line on may have been
    put nevertheless. ``uninterrupted`` defers signals during a batch.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        uninterrupted: AbstractContextManager[object],
        first: int,
    ) -> None:
        self._connection = connection
        self._uninterrupted = uninterrupted
        self.next_line = first
        self.put = 0
        self.unconfirmed = 0
        self._can_bury = False

    def run(self, source: Iterable[bytes]) -> Iterator[int]:
        """Put the jobs, and yield how many after each batch.

        Raises :class:`ImportStoppedError`, which names the line.
        """
        remaining = islice(source, self.next_line - 1, None)
        while batch := list(islice(remaining, _BATCH)):
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
            ids = self._connection.put_each(
                tube, [job.body for job in jobs], [_options(job) for job in jobs]
            )
        except PutManyError as error:
            before = [job_id for n, job_id in error.ids.items() if n < error.index]
            self._count(jobs, before)
            self.unconfirmed = error.unconfirmed
            self._take_back([n for i, n in error.ids.items() if i > error.index])
            problem = f"line {first + error.index}: {error.__cause__}"
            raise ImportStoppedError(problem) from error
        except BrokerError as error:
            raise ImportStoppedError(f"line {first}: {error}") from error
        except Interrupted:  # by a second signal, which is not deferred
            self.unconfirmed = len(jobs)
            raise
        self._count(jobs, ids)

    def _check_version(self, jobs: list[JobLine]) -> None:
        """Check that the broker can bury jobs: that needs reserve-job, of 1.12."""
        if self._can_bury or not any(job.is_buried for job in jobs):
            return
        version = self._connection.server().version
        major, minor, *_ = [*map(int, re.findall(r"[0-9]{1,9}", version)), 0, 0]
        if (major, minor) < _FIRST_WITH_RESERVE_JOB:
            raise ImportStoppedError(
                f"line {self.next_line}: buried jobs come from here on, and beanstalkd "
                f"{version} can't bury them: that needs 1.12"
            )
        self._can_bury = True

    def _count(self, jobs: list[JobLine], ids: list[int]) -> None:
        """Count the first jobs as put, with these ids, and bury those that were."""
        self.put += len(ids)
        self.next_line += len(ids)
        buried = [
            (job_id, job.options.priority)
            for job_id, job in zip(ids, jobs, strict=False)
            if job.is_buried
        ]
        if buried and self._connection.is_open:
            # A job that is gone already is no reason to stop.
            list(self._connection.bury_jobs(buried))

    def _take_back(self, ids: list[int]) -> None:
        """Delete jobs that were put after the line at which the import is to go on."""
        if ids:
            self.unconfirmed += list(self._connection.delete_jobs(ids)).count(False)


def _options(job: JobLine) -> PutOptions:
    options = job.options
    return options._replace(delay=_DELAY_OF_BURIED) if job.is_buried else options


def _decoded(batch: list[bytes]) -> tuple[list[JobLine], BadLineError | None]:
    """Return the jobs of the lines up to the first bad one, and the error in that."""
    jobs = []
    for line in batch:
        try:
            jobs.append(jsonl.decode(line))
        except BadLineError as error:
            return jobs, error
    return jobs, None
