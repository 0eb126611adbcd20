"""Talking to beanstalkd: one connection.

This is the only file that knows greenstalk. Other rooms see the errors of
:mod:`jobqueue.errors`, and nothing of a reply.
"""

import functools
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from types import TracebackType
from typing import Self, TypeVar

import greenstalk

from jobqueue.address import Address
from jobqueue.bulk import Bulk
from jobqueue.errors import (
    BrokerDrainingError,
    BrokerError,
    BrokerOutOfMemoryError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    ConnectionLostError,
    JobQueueError,
    JobTooBigError,
)
from jobqueue.message import check_tube
from jobqueue.options import PutOptions, whole_number
from jobqueue.outcome import Buried, Deleted, JobStats, Outcome, Released
from jobqueue.wire import BrokerSocket

T = TypeVar("T")

_BATCH_JOBS = 500  # in one write
_BATCH_BYTES = 2**18
_MAX_BODY = 2**30  # bytes: the most that beanstalkd's -z allows
MAX_JOB_ID = 2**64 - 1


# What a broker in good order may answer to a put.
_REFUSALS = (
    greenstalk.BuriedError,
    greenstalk.DrainingError,
    greenstalk.JobTooBigError,
    greenstalk.OutOfMemoryError,
)


class Connection:
    """One connection to beanstalkd, for one thread at a time.

    Numbers and names are checked before a byte is sent. Whatever is not a clean reply
    (none in time, one cut short, nonsense, an interrupt half-way) closes the connection
    for good: the next reply on it might belong to an earlier command.

    Every method that talks to the broker may raise
    :class:`~jobqueue.errors.ConnectionLostError` or
    :class:`~jobqueue.errors.BrokerTimeoutError`.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.using = greenstalk.DEFAULT_TUBE  # the tube that is put into
        self._reserve_is_sent = False
        try:
            self._socket = BrokerSocket.connect_to(address)
        except (OSError, ValueError) as error:  # ValueError: a host that can't be one
            raise BrokerUnreachableError(
                f"beanstalkd at {address} can't be reached ({_reason(error)}): "
                "is it running there?"
            ) from None
        self._replies = self._socket.replies
        self._exchange = _Exchange(self)
        with self._exchange:
            # encoding=None: greenstalk would decode inside of reserve, and the id of a
            # reserved job whose body is not UTF-8 would be lost.
            self._client = greenstalk.Client(self._socket, encoding=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the connection can still be used."""
        return self._socket.fileno() != -1

    def close(self) -> None:
        """Close the connection; the broker makes ready again what it had reserved."""
        with suppress(OSError):  # a task may have closed file descriptors not its own
            self._socket.close()

    @property
    def awaits_job(self) -> bool:
        """Whether :meth:`settle` has asked for a job that nobody has read yet."""
        return self._reserve_is_sent

    def has_received(self) -> bool:
        """Tell, from another thread, whether a read that waits is about to end."""
        try:
            return self._socket.has_received()
        except (OSError, ValueError):  # it has ended, so no read waits on it
            return False

    def interrupt(self) -> None:
        """End the connection from another thread: a read that waits on it fails now."""
        with suppress(OSError):  # it has ended already, so no read waits on it
            self._socket.shutdown(socket.SHUT_RDWR)

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job into a tube and return its id.

        Raises the errors of :class:`~jobqueue.errors.BrokerError` when the broker takes
        no jobs now, and :class:`~jobqueue.errors.JobTooBigError`.
        """
        command = _put(_numbers(options), body)
        use = self.using != tube
        if use:
            command = _use(tube) + command
        with self._exchange:
            self._socket.sendall(command)
            if use:
                self._reply(b"USING")
                self.using = tube
            answer = self._put_answer()
            if isinstance(answer, int):
                return answer
            raise self._refusal(answer, tube, len(body)) from answer

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Put a job for each body, hundreds in a write, and return their ids in order.

        An error that the iterable raises ends it; the bodies before it are put. Raises
        :class:`~jobqueue.errors.PutManyError` for that, and for whatever the broker
        refuses. Before the first body is taken from the iterable, it is
        :class:`~jobqueue.errors.ConnectionLostError` as elsewhere.
        """
        return self._put_all(tube, bodies, repeat(_numbers(options)))

    def put_each(
        self, tube: str, bodies: Sequence[bytes], options: Sequence[PutOptions]
    ) -> list[int]:
        """Put many jobs like :meth:`put_many`, each with options of its own."""
        return self._put_all(tube, bodies, map(_numbers, options))

    def _put_all(
        self, tube: str, bodies: Iterable[bytes], all_numbers: Iterable[bytes]
    ) -> list[int]:
        # Proves that the connection is alive, while no job can be put twice yet.
        self.use(tube)
        bulk: Bulk[greenstalk.BeanstalkdError] = Bulk()
        # The numbers come first: a body that is taken counts as sent.
        commands = map(_put, all_numbers, bulk.sending(bodies))
        try:
            with self._exchange, self._socket.sending_what_fits():
                for answer in self._pipelined(commands, self._put_answer):
                    bulk.answered(answer)
                cause = bulk.source_error
                if bulk.refused:
                    cause = self._refusal(bulk.refused.error, tube, bulk.refused.size)
        except BrokerError as lost:
            cause = lost
        if cause is not None:  # an exception of the source may have any truth value
            raise bulk.error(cause) from cause
        return bulk.ids

    def use(self, tube: str) -> None:
        """Put into this tube, peek into it and kick its jobs from now on."""
        with self._exchange:
            self._socket.sendall(_use(tube))
            self._reply(b"USING")
            self.using = tube

    def watch_only(self, tubes: Iterable[str]) -> None:
        """Reserve from these tubes from now on, and from no others."""
        wanted = {check_tube(tube) for tube in tubes}
        with self._exchange:
            watched = set(self._client.watching())
            for tube in sorted(wanted - watched):
                self._client.watch(tube)
            for tube in sorted(watched - wanted):
                self._client.ignore(tube)

    # Every job of a worker goes through the next two. They enter no exchange, which
    # costs time, but leave it by the same door if they come apart.

    def reserve(self, timeout: int) -> tuple[int, bytes] | None:
        """Wait for a job for that many seconds; return its id and body, or None.

        Reads the answer if :meth:`settle` has asked for the job already.
        """
        try:
            if not self._reserve_is_sent:
                self._socket.sendall(_reserve(timeout))
            self._reserve_is_sent = False
            line = self._replies.readline_after(timeout)
            try:
                job_id, size = map(int, _values(line, b"RESERVED"))
            except (greenstalk.TimedOutError, greenstalk.DeadlineSoonError):
                return None
            return _check_id(job_id), self.chunk(size)
        except BaseException as error:
            self._exchange.came_apart(error)
            raise

    def settle(
        self, job_id: int, outcome: Outcome, *, reserve: int | None = None
    ) -> bool:
        """Tell the broker what becomes of a job, and ask for the next in one write.

        ``reserve`` is for how many seconds to wait for the next job; None asks for
        none. The next call has to be :meth:`reserve` then.

        Returns False if the reservation was lost (the job's ttr was over), so that the
        verdict is void and the job may run twice.
        """
        match outcome:
            case Deleted():
                command, expected = b"delete %d\r\n" % job_id, b"DELETED\r\n"
            case Released(priority, delay):
                command = b"release %d %d %d\r\n" % (job_id, priority, delay)
                expected = b"RELEASED\r\n"
            case Buried(priority):
                command = b"bury %d %d\r\n" % (job_id, priority)
                expected = b"BURIED\r\n"
        if reserve is not None:
            command += _reserve(reserve)
        try:
            self._socket.sendall(command)
            self._reserve_is_sent = reserve is not None
            return self._is_confirmed(expected)
        except BaseException as error:
            self._exchange.came_apart(error)
            raise

    def touch(self, job_id: int) -> bool:
        """Start the job's time to run anew.

        Returns False if the reservation was lost.
        """
        with self._exchange:
            self._socket.sendall(b"touch %d\r\n" % job_id)
            return self._is_confirmed(b"TOUCHED\r\n")

    def stats_job(self, job_id: int) -> JobStats | None:
        """Return what the broker counts of a job; None if there is no such job."""
        return self.ask(b"stats-job %d\r\n" % job_id, self._job_stats)

    # What else there is of the protocol, the operators' commands build on these four.

    def ask(self, command: bytes, read: Callable[[], T]) -> T:
        """Send one command, and return what is read of its answer."""
        with self._exchange:
            self._socket.sendall(command)
            return read()

    def ask_many(self, commands: Iterable[bytes], read: Callable[[], T]) -> Iterator[T]:
        """Send commands, many in a write, and yield what is read for each, in order.

        Whoever stops iterating before the end loses the connection: the answers to
        come would be taken for those of later commands.
        """
        with self._exchange, self._socket.sending_what_fits():
            yield from self._pipelined(commands, read)

    def answer(self, expected: bytes) -> list[bytes] | None:
        """Read one reply line and return its values; None if it is NOT_FOUND."""
        line = self._replies.readline()
        return None if line == b"NOT_FOUND\r\n" else _values(line, expected)

    def answer_with_chunk(self, expected: bytes) -> bytes | None:
        """Read a reply line and what follows it; None if it is NOT_FOUND."""
        values = self.answer(expected)
        return None if values is None else self.chunk(int(values[-1]))

    def _job_stats(self) -> JobStats | None:
        chunk = self.answer_with_chunk(b"OK")
        if chunk is None:
            return None
        # Not greenstalk's: that makes a number of a tube's name like 007.
        stats = _parse_stats(chunk)
        return JobStats(
            tube=stats[b"tube:"].decode("ascii"),
            priority=int(stats[b"pri:"]),
            delay=int(stats[b"delay:"]),
            ttr=int(stats[b"ttr:"]),
            reserves=int(stats[b"reserves:"]),
            releases=int(stats[b"releases:"]),
            buries=int(stats[b"buries:"]),
            kicks=int(stats[b"kicks:"]),
        )

    def _reply(self, expected: bytes) -> list[bytes]:
        """Read one reply line and return its values.

        greenstalk reads a reply only to a command that it has just sent by itself.
        """
        return _values(self._replies.readline(), expected)

    def _is_confirmed(self, expected: bytes) -> bool:
        """Read one reply line: this one, or False if it is NOT_FOUND."""
        line = self._replies.readline()
        if line == expected:
            return True
        try:
            _values(line, expected)
        except greenstalk.NotFoundError:
            return False
        return True

    def chunk(self, size: int) -> bytes:
        """Read what follows a reply line that announced this many bytes."""
        if not 0 <= size <= _MAX_BODY:
            raise ValueError(f"a reply of {size} bytes")
        return self._replies.chunk(size)

    def _put_answer(self) -> int | greenstalk.BeanstalkdError:
        """Read the answer to a put: the job's id, or why the broker refused it."""
        line = self._replies.readline()
        if line.startswith(b"INSERTED "):  # what follows would do, but slower
            return int(line[9:])
        try:
            (job_id,) = _values(line, b"INSERTED")
            return int(job_id)
        except _REFUSALS as error:
            return error

    def _pipelined(
        self, commands: Iterable[bytes], read: Callable[[], T]
    ) -> Iterator[T]:
        """Send commands, many in one write, and yield what is read for each, in order.

        Answers are read while commands are written: with full buffers on either side,
        the broker would wait for us to read, and we for the broker.
        """
        batches = _batches(commands)
        unsent = memoryview(b"")
        awaited = 0
        while True:
            if not unsent and awaited < _BATCH_JOBS:  # the broker has work meanwhile
                batch, count = next(batches, (b"", 0))
                unsent = memoryview(batch)
                awaited += count
            if unsent:
                readable, writable = self._socket.ready()
                if writable:
                    unsent = unsent[self._socket.send(unsent) :]
            elif awaited:
                readable = True
            else:
                return
            while readable and awaited:
                yield read()
                awaited -= 1
                readable = self._replies.has_line()

    def _refusal(
        self, error: greenstalk.BeanstalkdError, tube: str, size: int
    ) -> JobQueueError:
        """Return what to raise for a put that the broker refused."""
        broker = f"beanstalkd at {self.address}"
        match error:
            case greenstalk.JobTooBigError():
                limit = self._client.stats()["max-job-size"]
                return JobTooBigError(
                    f"a job of {size} bytes for tube {tube!r} is too big: {broker} "
                    f"takes {limit} at most. Put a reference to the data (a path, "
                    "a key), or start beanstalkd with a larger -z."
                )
            case greenstalk.DrainingError():
                return BrokerDrainingError(
                    f"{broker} is draining (it got SIGUSR1) and takes no new jobs"
                )
            case greenstalk.BuriedError(id=job_id):
                return BrokerOutOfMemoryError(
                    f"{broker} is out of memory: it buried the job at once, as {job_id}"
                )
            case _:
                return BrokerOutOfMemoryError(
                    f"{broker} is out of memory and did not take the job"
                )


class _Exchange:
    """Commands and their replies: the connection is closed if they come apart.

    Out of a clean answer the code inside makes a result or an error of jobqueue's; any
    other error that leaves it says that the stream may be out of step. After BAD_FORMAT
    for one, beanstalkd reads the rest of the command as the next.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.came_apart(error)

    def came_apart(self, error: BaseException) -> None:
        """Close the connection, and raise what an error means that is not ours."""
        if isinstance(error, JobQueueError):
            return
        self._connection.close()
        broker = f"beanstalkd at {self._connection.address}"
        if isinstance(error, TimeoutError | BlockingIOError):
            raise BrokerTimeoutError(f"{broker} did not answer in time") from error
        if isinstance(error, Exception):
            raise ConnectionLostError(
                f"the connection to {broker} was lost: {_reason(error)}"
            ) from error


def _use(tube: str) -> bytes:
    return b"use %b\r\n" % check_tube(tube).encode()


def _numbers(options: PutOptions) -> bytes:
    return b"%d %d %d" % (options.priority, options.delay_now(), options.ttr)


def _put(numbers: bytes, body: bytes) -> bytes:
    return b"put %b %d\r\n%b\r\n" % (numbers, len(body), body)


def _values(line: bytes, expected: bytes) -> list[bytes]:
    """Return the values of a reply; raise greenstalk's error for an unexpected one."""
    values = line.split()
    status = values.pop(0)
    if status == expected:
        return values
    if status in greenstalk.ERROR_RESPONSES:
        raise greenstalk.ERROR_RESPONSES[status](values)
    raise greenstalk.UnknownResponseError(status, values)


def _check_id(job_id: int) -> int:
    if 0 < job_id <= MAX_JOB_ID:
        return job_id
    raise ValueError(f"a job of id {job_id}")


def _parse_stats(chunk: bytes) -> dict[bytes, bytes]:
    """Return what a stats command answers with, colons included.

    It is YAML of one ``key: value`` a line after the first, with no space in either.
    """
    _, *words = chunk.split()
    return dict(zip(words[::2], words[1::2], strict=True))


@functools.lru_cache(maxsize=8, typed=True)  # it is part of each job's settling
def _reserve(timeout: int) -> bytes:
    return b"reserve-with-timeout %d\r\n" % whole_number("timeout", timeout)


def _batches(commands: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield commands joined to one write, and how many they are."""
    batch: list[bytes] = []
    size = 0
    for command in commands:
        batch.append(command)
        size += len(command)
        if len(batch) == _BATCH_JOBS or size >= _BATCH_BYTES:
            yield b"".join(batch), len(batch)
            batch, size = [], 0
    yield b"".join(batch), len(batch)


def _reason(error: Exception) -> str:
    """Return the cause in words that a person can read."""
    if isinstance(error, greenstalk.Error):
        return f"an answer that makes no sense here, {type(error).__name__} {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
