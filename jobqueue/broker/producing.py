"""A connection that puts jobs into tubes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Generic, TypeVar

import greenstalk

from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube
from jobqueue.broker.clock import clock
from jobqueue.broker.connection import Connection
from jobqueue.broker.failures import REFUSALS, refused
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.replies import id_of, values_of
from jobqueue.errors import (
    BrokerError,
    BrokerTimeoutError,
    ConnectionLostError,
    JobQueueError,
    PutManyError,
)

E = TypeVar("E", bound=Exception)

ASK_AFTER = 5.0  # seconds without a put: then a connection is asked if it is alive
_NOT_PUT = 0  # beanstalkd's job ids start at 1


class ProducerConnection(Connection):
    """A connection that puts jobs."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.using = greenstalk.DEFAULT_TUBE  # the tube that jobs are put into
        self.last_used = clock()

    def use(self, tube: str) -> None:
        """Choose the tube of the next put, peek, and kick."""
        with self._exchange:
            self._socket.send_all(use_command(tube))
            self._read_using(tube)

    def shorten_wait(self, seconds: float) -> None:
        """Wait for the next replies for so many seconds less than usual."""
        self._socket.shorten_waits(seconds)

    def is_alive(self, seconds: float) -> bool:
        """Ask for a reply that changes nothing; return whether it comes in time.

        If it does not, the connection is closed.
        """
        self.shorten_wait(self.address.timeout - seconds)
        try:
            self.use(self.using)
        except (ConnectionLostError, BrokerTimeoutError):
            return False
        self.shorten_wait(0)
        return True

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job into a tube and return its id.

        Raises :class:`~jobqueue.errors.JobTooBigError`, and the errors of
        :class:`~jobqueue.errors.BrokerError` that say why the broker takes no jobs.
        """
        command = put_command(options, body)
        use = self.using != tube
        if use:
            command = use_command(tube) + command
        with self._exchange:
            self._socket.send_all(command)
            spin = self._socket.spin
            if spin is not None:
                if spin.skips:
                    spin.skips -= 1
                else:
                    self._reader.keep(spin.receive())
            if use:
                self._read_using(tube)
            answer = self._read_put()
            if isinstance(answer, int):
                return answer
            raise self._refusal(answer, tube, len(body)) from answer

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Put a job for each body, hundreds in a write, and return their ids in order.

        If the iterable of bodies raises an error, the bodies before it are put.

        Raises :class:`~jobqueue.errors.PutManyError` for that, and for whatever the
        broker refuses; and :class:`~jobqueue.errors.ConnectionLostError` for a
        connection that was lost before the first body was taken from the iterable.
        """
        # Anew for each write: a slow iterable brings an ``at`` nearer.
        return self._put_all(tube, bodies, lambda: repeat(_numbers(options)))

    def put_each(
        self, tube: str, bodies: Sequence[bytes], options: Sequence[PutOptions]
    ) -> list[int]:
        """Put many jobs like :meth:`put_many`, each with options of its own."""
        each = map(_numbers, options)
        return self._put_all(tube, bodies, lambda: each)

    def _put_all(
        self,
        tube: str,
        bodies: Iterable[bytes],
        numbers_now: Callable[[], Iterable[bytes]],
    ) -> list[int]:
        """Put many jobs, with the numbers that are returned for each write."""

        def commands(batch: list[bytes]) -> bytes:
            return b"".join(map(_put, batch, numbers_now()))

        # A round trip finds a dead connection before any job could be put twice.
        self.use(tube)
        self.shorten_wait(0)
        bulk: BulkPut[greenstalk.BeanstalkdError] = BulkPut()
        try:
            with self._exchange:
                sending = bulk.sending(bodies)
                for answer in self._pipelined(sending, self._read_put, commands):
                    bulk.answered(answer)
                cause = bulk.source_error
                if bulk.refusal is not None:
                    cause = self._refusal(bulk.refusal, tube, bulk.refused_size)
        except BrokerError as lost:
            cause = lost
        if cause is not None:  # an exception of the source may have any truth value
            raise bulk.error(cause) from cause
        return bulk.ids

    def _read_using(self, tube: str) -> None:
        """Read the reply to ``use``."""
        (_tube,) = values_of(self._reader.readline(), b"USING")
        self.using = tube

    def _read_put(self) -> int | greenstalk.BeanstalkdError:
        """Read the reply to a put: the job's id, or the error of a refusal."""
        line = self._reader.readline()
        if line.startswith(b"INSERTED "):  # the same as below, but faster
            return id_of(line[9:-2])
        try:
            (job_id,) = values_of(line, b"INSERTED")
            return id_of(job_id)
        except REFUSALS as error:
            return error

    def _refusal(
        self, error: greenstalk.BeanstalkdError, tube: str, size: int
    ) -> JobQueueError:
        """Return the error to raise for a put that the broker refused."""
        is_too_big = isinstance(error, greenstalk.JobTooBigError)
        limit = self._max_job_size() if is_too_big else 0
        return refused(error, self.address, tube, size, limit)

    def _max_job_size(self) -> int:
        """Ask the broker for its limit in bytes."""
        from jobqueue.broker.server_stats import ServerStats  # noqa: PLC0415 - rarely needed

        self._socket.send_all(b"stats\r\n")
        return ServerStats.parse(self.read_chunk() or b"").max_job_size


class BulkPut(Generic[E]):
    """Keeps count of one ``put_many``: items sent, answered, and refused."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.refusal: E | None = None  # of the first item that the broker refused
        self.refused_size = 0  # of that item, in bytes
        self.source_error: Exception | None = None
        self._refused_index = 0
        self._sizes: deque[int] = deque()  # of the bodies sent, but not answered yet

    def sending(self, bodies: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bodies to send, until one is refused or their iterable fails."""
        try:
            for body in bodies:
                if self.refusal is not None:
                    return
                self._sizes.append(len(body))
                yield body
        except Exception as error:  # noqa: BLE001 - raised when what was sent is answered
            self.source_error = error

    def answered(self, answer: int | E) -> None:
        """Count the answer to the next body: its job's id, or a refusal."""
        size = self._sizes.popleft()
        if isinstance(answer, int):
            self.ids.append(answer)
            return
        if self.refusal is None:
            self.refusal = answer
            self.refused_size = size
            self._refused_index = len(self.ids)
        self.ids.append(_NOT_PUT)

    def error(self, cause: Exception) -> PutManyError:
        """Return the error that says which items were put."""
        index = len(self.ids) if self.refusal is None else self._refused_index
        put = {n: job_id for n, job_id in enumerate(self.ids) if job_id != _NOT_PUT}
        message = f"item {index} was not put ({cause}); {len(put)} others were"
        if self._sizes:
            message += f", and {len(self._sizes)} may have been"
        return PutManyError(message, index=index, ids=put, unconfirmed=len(self._sizes))


def use_command(tube: str) -> bytes:
    """Return the command that chooses the tube of the next put."""
    return b"use %b\r\n" % check_tube(tube).encode()


def put_command(options: PutOptions, body: bytes) -> bytes:
    """Return the command that puts a job now."""
    return _put(body, _numbers(options))


def _numbers(options: PutOptions) -> bytes:
    return b"%d %d %d" % (options.priority, options.delay_now(), options.ttr)


def _put(body: bytes, numbers: bytes) -> bytes:
    return b"put %b %d\r\n%b\r\n" % (numbers, len(body), body)
