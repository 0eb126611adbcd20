"""What operators ask of beanstalkd, beyond what tasks and workers need."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from jobqueue.broker.checks import check_id, check_tube, whole_number
from jobqueue.broker.producing import ProducerConnection
from jobqueue.broker.replies import id_of, size_of
from jobqueue.broker.stats import JobRecord, JobState, ServerStats, TubeStats

T = TypeVar("T")


class OperatorConnection(ProducerConnection):
    """A connection that looks at tubes and jobs, and changes them.

    It puts jobs, too: an import does.
    """

    def server(self) -> ServerStats:
        """Return what the server tells of itself."""
        return ServerStats.parse(self._chunk(b"stats\r\n"))

    def tubes(self) -> list[str]:
        """Return the names of all tubes, sorted."""
        _, *lines = self._chunk(b"list-tubes\r\n").decode("ascii").splitlines()
        return sorted(line.removeprefix("- ") for line in lines)

    def tube(self, name: str) -> TubeStats | None:
        """Return what is counted of a tube; None if there is no such tube."""
        return next(self.tube_records([name]))

    def tube_records(self, names: Iterable[str]) -> Iterator[TubeStats | None]:
        """Yield what is counted of each tube; None if there is no such tube."""
        commands = [b"stats-tube %b\r\n" % check_tube(name).encode() for name in names]
        chunks = list(self.ask_many(commands, self._read_chunk))
        return (None if chunk is None else TubeStats.parse(chunk) for chunk in chunks)

    def job(self, job_id: int) -> tuple[JobRecord, bytes] | None:
        """Return a job and its body; None if there is no such job."""
        (record,) = self.jobs([job_id])
        (body,) = self.bodies([job_id])
        return None if record is None or body is None else (record, body)

    def jobs(self, ids: Iterable[int]) -> Iterator[JobRecord | None]:
        """Yield what is counted of each job; None for one that there is not."""
        for chunk in self._ask_each(b"stats-job %d\r\n", ids, self._read_chunk):
            yield None if chunk is None else JobRecord.parse(chunk)

    def jobs_of(self, tube: str, ids: Iterable[int]) -> list[JobRecord]:
        """Return those of the jobs that are in this tube. Others are passed quickly."""
        wanted = b"\ntube: %b\n" % tube.encode()
        chunks = self._ask_each(b"stats-job %d\r\n", ids, self._read_chunk)
        return [JobRecord.parse(chunk) for chunk in chunks if chunk and wanted in chunk]

    def bodies(self, ids: Iterable[int]) -> Iterator[bytes | None]:
        """Yield each job's body; None for one that there is not."""
        return self._ask_each(
            b"peek %d\r\n", ids, lambda: self.answer_with_body(b"FOUND")
        )

    def first(self, tube: str, state: JobState) -> int | None:
        """Return the id of the job of a state that comes first; None if there is none.

        beanstalkd knows the most urgent ready one, the delayed one that is ready next
        and the one that was buried first, but no reserved one.
        """
        if state is JobState.RESERVED:
            return None
        if self.using != tube:
            self.use(tube)
        return self.ask(b"peek-%b\r\n" % state.encode(), self._read_id)

    def kick_jobs(self, ids: Iterable[int]) -> Iterator[bool]:
        """Make jobs ready; yield False for one that is not buried or delayed.

        Never beanstalkd's ``kick``, which takes delayed jobs when none is buried.
        """
        return self._tell_each(b"kick-job %d\r\n", ids, b"KICKED")

    def delete_jobs(self, ids: Iterable[int]) -> Iterator[bool]:
        """Delete jobs; yield False for one that a worker has, or that there is not."""
        return self._tell_each(b"delete %d\r\n", ids, b"DELETED")

    def bury_jobs(self, jobs: Iterable[tuple[int, int]]) -> Iterator[bool]:
        """Bury jobs that nobody has reserved, each an id and a priority.

        Yields False for one that there is not any more, or that a worker has. Needs
        beanstalkd 1.12.
        """
        commands = (
            b"reserve-job %d\r\nbury %d %d\r\n"
            % (check_id(job_id), job_id, whole_number("priority", priority))
            for job_id, priority in jobs
        )
        return self.ask_many(commands, self._read_buried)

    def pause(self, tube: str, seconds: int) -> bool:
        """Have no jobs handed out for some seconds; False if there is no such tube."""
        whole_number("seconds", seconds)
        command = b"pause-tube %b %d\r\n" % (check_tube(tube).encode(), seconds)
        return self.ask(command, lambda: self._is_done(b"PAUSED"))

    def _tell_each(
        self, command: bytes, ids: Iterable[int], expected: bytes
    ) -> Iterator[bool]:
        return self._ask_each(command, ids, lambda: self._is_done(expected))

    def _ask_each(
        self, command: bytes, ids: Iterable[int], read: Callable[[], T]
    ) -> Iterator[T]:
        return self.ask_many((command % check_id(n) for n in ids), read)

    def _chunk(self, command: bytes) -> bytes:
        return self.ask(command, self._read_chunk) or b""

    def _read_chunk(self) -> bytes | None:
        return self.answer_with_chunk(b"OK")

    def _read_id(self) -> int | None:
        """Read the answer to a peek, and leave the body."""
        values = self.answer(b"FOUND")
        if values is None:
            return None
        job_id, size = values
        self._replies.body(size_of(size))
        return id_of(job_id)

    def _read_buried(self) -> bool:
        """Read the answers to a reserve-job and the bury that came with it."""
        is_reserved = self.answer_with_body(b"RESERVED") is not None
        return self._is_done(b"BURIED") and is_reserved

    def _is_done(self, expected: bytes) -> bool:
        return self.answer(expected) is not None
