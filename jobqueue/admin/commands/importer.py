"""Putting the jobs of an export, with a count of the lines that are done."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby, islice

from jobqueue.admin import jsonl
from jobqueue.admin.commands.burials import Burials
from jobqueue.admin.jsonl import BadLineError, JobLine
from jobqueue.admin.screen.interrupts import Interrupted
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import BrokerError, JobQueueError, PutManyError

_BATCH = 500  # lines: each may have 64 KiB
_FIRST_WITH_RESERVE_JOB = (1, 12)  # the version of beanstalkd


class ImportStoppedError(JobQueueError):
    """An import stopped before the end of its lines."""


class Importer:
    """Puts the jobs of an export from line ``first`` on, one per line, and counts them.

    ``next_line`` is the number of the first line whose job was not put; lines are
    numbered from 1. ``unconfirmed`` is how many jobs from that line on may have been
    put nevertheless; a job to be buried does not run until it is, and counts only then.
    ``uninterrupted`` defers signals during a batch.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        uninterrupted: AbstractContextManager[object],
        first: int,
    ) -> None:
        self._burials = Burials(connection)
        self._uninterrupted = uninterrupted
        self.next_line = first
        self.put = 0
        self.unconfirmed = 0
        self.has_buried = False  # any line so far

    @property
    def connection(self) -> OperatorConnection:
        """The connection: another one than at first, if that was lost."""
        return self._burials.connection

    def close(self) -> None:
        """Close the connection."""
        self._burials.close()

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
            ids = self.connection.put_each(
                tube,
                [job.body for job in jobs],
                [self._options(job) for job in jobs],
            )
        except PutManyError as error:
            self._finish_some(tube, jobs, error)
        except BrokerError as error:
            raise ImportStoppedError(f"line {first}: {error}") from error
        except Interrupted:  # by a second signal, which is not deferred
            self.unconfirmed = len(jobs)
            raise
        else:
            self._finish(jobs, ids)

    def _finish_some(self, tube: str, jobs: list[JobLine], error: PutManyError) -> None:
        """Count the jobs up to the first that was not put, and take back the others."""
        first = self.next_line
        ids: list[int | None] = [error.ids[n] for n in range(error.index)]
        self._take_back([n for i, n in error.ids.items() if i > error.index])
        if ids and error.unconfirmed:
            unanswered = jobs[len(ids) :][: error.unconfirmed]
            ids += self._found(tube, unanswered, error.ids[error.index - 1])
        self.unconfirmed += error.unconfirmed - (len(ids) - error.index)
        self._finish(jobs, ids)
        if len(ids) < len(jobs):
            problem = f"line {first + len(ids)}: {error.__cause__}"
            raise ImportStoppedError(problem) from error

    def _found(self, tube: str, jobs: list[JobLine], after: int) -> list[int | None]:
        """Return the ids of those first jobs that were put, though no reply came.

        The broker puts jobs in the order of their lines, and those that are to be
        buried can be told by their delay. None stands for a job between them.
        """
        buried = [n for n, job in enumerate(jobs) if job.is_buried]
        if not buried:
            return []
        ids = dict(
            zip(buried, self._burials.find(tube, after, len(buried)), strict=False)
        )
        return [ids.get(n) for n in range(max(ids) + 1)] if ids else []

    def _check_version(self, jobs: list[JobLine]) -> None:
        """Check that the broker can bury jobs: that needs reserve-job, of 1.12."""
        if self.has_buried or not any(job.is_buried for job in jobs):
            return
        version = self.connection.server().version
        major, minor, *_ = [*map(int, re.findall(r"[0-9]{1,9}", version)), 0, 0]
        if (major, minor) < _FIRST_WITH_RESERVE_JOB:
            raise ImportStoppedError(
                f"line {self.next_line}: buried jobs come from here on, and beanstalkd "
                f"{version} can't bury them: that needs 1.12"
            )
        self.has_buried = True

    def _finish(self, jobs: list[JobLine], ids: Sequence[int | None]) -> None:
        """Bury those of the first jobs that are to be, and count these jobs as put."""
        buried = [
            (n, job_id, job.options.priority)
            for n, (job_id, job) in enumerate(zip(ids, jobs, strict=False))
            if job.is_buried and job_id is not None
        ]
        done = 0
        try:
            for _ in self._burials.bury((job_id, pri) for _, job_id, pri in buried):
                done += 1
        except BrokerError as error:
            line = self.next_line + buried[done][0]
            raise ImportStoppedError(f"line {line}: {error}") from error
        finally:
            lines = buried[done][0] if done < len(buried) else len(ids)
            self.put += lines
            self.next_line += lines
            self.unconfirmed += len(ids) - lines

    def _take_back(self, ids: list[int]) -> None:
        """Delete jobs that were put after the line at which the import is to go on."""
        if not ids:
            return
        deleted = 0
        try:
            for is_deleted in self.connection.delete_jobs(ids):
                deleted += is_deleted
        except BrokerError:  # said of the line at which the import stops
            pass
        self.unconfirmed += len(ids) - deleted

    def _options(self, job: JobLine) -> PutOptions:
        if job.is_buried:
            return job.options._replace(delay=self._burials.delay)
        return job.options


def _decoded(batch: list[bytes]) -> tuple[list[JobLine], BadLineError | None]:
    """Return the jobs of the lines up to the first bad one, and the error in that."""
    jobs = []
    for line in batch:
        try:
            jobs.append(jsonl.decode(line))
        except BadLineError as error:
            return jobs, error
    return jobs, None
