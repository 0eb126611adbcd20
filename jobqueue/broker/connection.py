"""Talking to beanstalkd: one connection.

This is the only file that knows greenstalk. Other rooms see the errors of
:mod:`jobqueue.errors`, and nothing of a reply.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from types import TracebackType
from typing import Self, TypeVar

import greenstalk

from jobqueue.broker.address import Address
from jobqueue.broker.bulk import Bulk
from jobqueue.broker.checks import MAX_JOB_ID, check_tube
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.wire import BrokerSocket
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

T = TypeVar("T")

_BATCH_JOBS = 500  # in one write
_BATCH_BYTES = 2**18
_MAX_BODY = 2**30  # bytes: the most that beanstalkd's -z allows
NOT_FOUND = b"NOT_FOUND\r\n"

_NO_ROOM = "is out of memory, or has no room for its binlog"

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

    # What else there is of the protocol builds on these four.

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
        return None if line == NOT_FOUND else values_of(line, expected)

    def answer_with_chunk(self, expected: bytes) -> bytes | None:
        """Read a reply line and what follows it; None if it is NOT_FOUND."""
        values = self.answer(expected)
        if values is None:
            return None
        return self._replies.chunk(_check_size(number_of(values[-1])))

    def answer_with_body(self, expected: bytes) -> bytes | None:
        """Read a reply line and the job's body after it; None if it is NOT_FOUND."""
        values = self.answer(expected)
        return None if values is None else self.body(number_of(values[-1]))

    def _reply(self, expected: bytes) -> list[bytes]:
        """Read one reply line and return its values.

        greenstalk reads a reply only to a command that it has just sent by itself.
        """
        return values_of(self._replies.readline(), expected)

    def body(self, size: int) -> bytes:
        """Read the body after a reply line that announced this many bytes."""
        return self._replies.body(_check_size(size))

    def _put_answer(self) -> int | greenstalk.BeanstalkdError:
        """Read the answer to a put: the job's id, or why the broker refused it."""
        line = self._replies.readline()
        if line.startswith(b"INSERTED "):  # what follows would do, but slower
            return id_of(line[9:-2])
        try:
            (job_id,) = values_of(line, b"INSERTED")
            return id_of(job_id)
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
                    f"{broker} did not take the job: it {_NO_ROOM}"
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
            self.fail(error)

    def fail(self, error: BaseException) -> None:
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


def values_of(line: bytes, expected: bytes) -> list[bytes]:
    """Return the values of a reply; raise greenstalk's error for an unexpected one."""
    values = line.split()
    status = values.pop(0)
    if status == expected:
        return values
    if status in greenstalk.ERROR_RESPONSES:
        raise greenstalk.ERROR_RESPONSES[status](values)
    raise greenstalk.UnknownResponseError(status, values)


def number_of(word: bytes) -> int:
    """Return a number of a reply: int() alone takes signs and underscores as well."""
    if word.isdigit():
        return int(word)
    raise ValueError(f"{word!r} instead of a number")


def _check_size(size: int) -> int:
    if 0 <= size <= _MAX_BODY:
        return size
    raise ValueError(f"a reply of {size} bytes")


def id_of(word: bytes) -> int:
    """Return a job's id, as a reply tells it."""
    job_id = number_of(word)
    if 0 < job_id <= MAX_JOB_ID:
        return job_id
    raise ValueError(f"a job of id {job_id}")


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
    if isinstance(error, greenstalk.OutOfMemoryError | greenstalk.InternalError):
        return f"it {_NO_ROOM}. What it could not bury or delay is ready at its restart"
    if isinstance(error, greenstalk.Error):
        return f"an answer that makes no sense here, {type(error).__name__} {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
