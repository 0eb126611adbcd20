"""A connection that looks at tubes and jobs, and changes them."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from jobqueue.broker.checks import check_id, check_tube, whole_number
from jobqueue.broker.producing import ProducerConnection, use_command
from jobqueue.broker.replies import id_of, size_of
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.broker.stats_reply import parse_names

T = TypeVar("T")


class FoundJob(NamedTuple):
    """A job's id and its body."""

    id: int
    body: bytes


class OperatorConnection(ProducerConnection):
    """A connection that looks at tubes and jobs, and changes them.

    It puts jobs as well, for imports.
    """

    def fileno(self) -> int:
        """Return the file descriptor of the connection."""
        return self._socket.fileno()

    def is_quiet(self) -> bool:
        """Return whether the connection is open, and the broker has not ended it."""
        try:
            return not self._socket.has_received()
        except OSError:
            return False

    def server(self) -> ServerStats:
        """Return the counts and settings of the server."""
        return self.ask(
            b"stats\r\n", lambda: ServerStats.parse(self.read_chunk() or b"")
        )

    def tubes(self) -> list[str]:
        """Return the names of all tubes, sorted."""
        names = self.ask(
            b"list-tubes\r\n", lambda: parse_names(self.read_chunk() or b"")
        )
        return sorted(names)

    def tube(self, name: str) -> TubeStats | None:
        """Return the counts of a tube; None if there is no such tube."""
        return self.tube_stats([name])[0]

    def tube_stats(self, names: Iterable[str]) -> list[TubeStats | None]:
        """Return the counts of each tube; None for a tube that does not exist."""

        def read() -> TubeStats | None:
            chunk = self.read_chunk()
            return None if chunk is None else TubeStats.parse(chunk)

        commands = [b"stats-tube %b\r\n" % check_tube(name).encode() for name in names]
        return list(self.ask_many(commands, read))

    def job(self, job_id: int) -> tuple[JobStats, bytes] | None:
        """Return a job and its body; None if there is no such job."""
        (stats,) = self.jobs([job_id])
        (body,) = self.bodies([job_id])
        return None if stats is None or body is None else (stats, body)

    def jobs(self, ids: Iterable[int]) -> Iterator[JobStats | None]:
        """Yield the counts of each job; None for a job that does not exist."""

        def read() -> JobStats | None:
            chunk = self.read_chunk()
            return None if chunk is None else JobStats.parse(chunk)

        return self._ask_each(b"stats-job %d\r\n", ids, read)

    def jobs_of(self, tube: str, ids: Iterable[int]) -> list[JobStats]:
        """Return those of the jobs that are in this tube, skipping others quickly."""
        name = tube.encode()
        wanted = (b"\ntube: %b\n" % name, b'\ntube: "%b"\n' % name)

        def read() -> JobStats | None:
            chunk = self.read_chunk()
            if chunk is None:
                return None
            is_wanted = chunk.startswith(wanted, chunk.index(b"\ntube: "))
            return JobStats.parse(chunk) if is_wanted else None

        jobs = self._ask_each(b"stats-job %d\r\n", ids, read)
        return [job for job in jobs if job is not None]

    def bodies(self, ids: Iterable[int]) -> Iterator[bytes | None]:
        """Yield the body of each job; None for a job that does not exist."""
        return self._ask_each(b"peek %d\r\n", ids, lambda: self.read_body(b"FOUND"))

    def first(self, tube: str, state: JobState) -> int | None:
        """Return the id of the first job of a state; None if there is none.

        The first is the most urgent ready job, the delayed job that is ready next, or
        the job buried first. beanstalkd has no such command for reserved jobs.
        """
        if state is JobState.RESERVED:
            return None
        if self.using != tube:
            self.use(tube)
        return self.ask(b"peek-%b\r\n" % state.encode(), self._read_id)

    def next_ready(self, tubes: Iterable[str]) -> list[JobStats]:
        """Return the counts of the next ready job of each tube that has one."""

        def read() -> int | None:
            (tube,) = self.read_values(b"USING") or [b""]
            self.using = tube.decode("ascii")
            return self._read_id()

        commands = (use_command(tube) + b"peek-ready\r\n" for tube in tubes)
        ids = [job_id for job_id in self.ask_many(commands, read) if job_id is not None]
        return [job for job in self.jobs(ids) if job is not None]

    def first_jobs(
        self, tubes: Iterable[str], state: JobState
    ) -> list[FoundJob | None]:
        """Return the first job of a state of each tube: not for reserved ones."""

        def read() -> FoundJob | None:
            (tube,) = self.read_values(b"USING") or [b""]
            self.using = tube.decode("ascii")
            values = self.read_values(b"FOUND")
            if values is None:
                return None
            job_id, size = values
            return FoundJob(id_of(job_id), self._reader.body(size_of(size)))

        peek = b"peek-%b\r\n" % state.encode()
        return list(self.ask_many((use_command(tube) + peek for tube in tubes), read))

    def kick_jobs(self, ids: Iterable[int]) -> Iterator[bool]:
        """Make jobs ready; yield False for a job that is not buried or delayed.

        Never sends beanstalkd's ``kick``, which takes delayed jobs when none is buried.
        """
        return self._tell_each(b"kick-job %d\r\n", ids, b"KICKED\r\n")

    def delete_jobs(self, ids: Iterable[int]) -> Iterator[bool]:
        """Delete jobs; yield False for a job that is reserved or does not exist."""
        return self._tell_each(b"delete %d\r\n", ids, b"DELETED\r\n")

    def bury(self, job_id: int, priority: int) -> bool:
        """Bury a job that is not reserved; False if it is reserved or does not exist.

        Needs beanstalkd 1.12.
        """
        check_id(job_id)
        whole_number("priority", priority)
        commands = b"reserve-job %d\r\nbury %d %d\r\n" % (job_id, job_id, priority)
        return self.ask(commands, self._read_buried)

    def pause(self, tube: str, seconds: int) -> bool:
        """Stop handing out jobs for some seconds; False if there is no such tube."""
        whole_number("seconds", seconds)
        command = b"pause-tube %b %d\r\n" % (check_tube(tube).encode(), seconds)
        return self.ask(command, lambda: self.read_confirmation(b"PAUSED\r\n"))

    def _tell_each(
        self, command: bytes, ids: Iterable[int], expected: bytes
    ) -> Iterator[bool]:
        return self._ask_each(command, ids, lambda: self.read_confirmation(expected))

    def _ask_each(
        self, command: bytes, ids: Iterable[int], read: Callable[[], T]
    ) -> Iterator[T]:
        checked = list(map(check_id, ids))  # all of them before a byte is sent
        return self.ask_many((command % job_id for job_id in checked), read)

    def _read_id(self) -> int | None:
        """Read the reply to a peek: the job's id, leaving out its body."""
        values = self.read_values(b"FOUND")
        if values is None:
            return None
        job_id, size = values
        self._reader.skip_body(size_of(size))
        return id_of(job_id)

    def _read_buried(self) -> bool:
        """Read the replies to a ``reserve-job`` and the ``bury`` sent with it."""
        values = self.read_values(b"RESERVED")
        if values is not None:
            self._reader.skip_body(size_of(values[-1]))
        return self.read_confirmation(b"BURIED\r\n") and values is not None
