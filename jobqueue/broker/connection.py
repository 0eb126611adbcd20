"""One connection to beanstalkd: what producers, consumers and operators share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from jobqueue.broker.address import Address
from jobqueue.broker.connecting import connect
from jobqueue.broker.failures import OF_THE_BROKER, lost, silent, unreachable
from jobqueue.broker.replies import NOT_FOUND, size_of, unexpected, values_of
from jobqueue.broker.wire import ReplyReader
from jobqueue.errors import JobQueueError

T = TypeVar("T")

_BATCH_JOBS = 500  # in one write
_BATCH_BYTES = 2**18


class Connection:
    """One connection to beanstalkd, for one thread at a time.

    Numbers and names are checked before a byte is sent. After anything but a clean
    reply (none in time, one cut short, nonsense, an interrupt half-way) the connection
    is closed for good: the next reply on it might belong to an earlier command.

    Every method that talks to the broker may raise
    :class:`~jobqueue.errors.ConnectionLostError` or
    :class:`~jobqueue.errors.BrokerTimeoutError`.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        try:
            self._socket = connect(address)
        except (OSError, ValueError) as error:  # ValueError: no valid host name
            raise unreachable(address, error) from None
        self.is_in_step = True  # each command so far has its whole reply
        self._reader = self._socket.reader
        self._exchange = _Exchange(self, self._reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the connection can still be used."""
        return self._socket.fileno() != -1

    def close(self) -> None:
        """Close the connection. The broker makes its reserved jobs ready again."""
        with suppress(OSError):  # a task may have closed file descriptors not its own
            self._socket.close()

    # The roles in producing, consuming and operating build on these methods.

    def ask(self, command: bytes, read: Callable[[], T]) -> T:
        """Send one command, and return what ``read`` makes of the reply."""
        with self._exchange:
            self._socket.send_all(command)
            return read()

    def ask_many(self, commands: Iterable[bytes], read: Callable[[], T]) -> Iterator[T]:
        """Send commands, many in a write; yield what ``read`` makes of each reply.

        Stopping the iteration before its end closes the connection: the replies still
        to come would be taken for those of later commands.
        """
        with self._exchange:
            for reply in self._pipelined(commands, read):
                yield reply
                self._socket.deadline = None  # the caller may have taken its time

    def read_values(self, expected: bytes) -> list[bytes] | None:
        """Read one reply line and return its values; None for NOT_FOUND."""
        line = self._reader.readline()
        return None if line == NOT_FOUND else values_of(line, expected)

    def read_chunk(self) -> bytes | None:
        """Read a line of OK and the data after it; None for NOT_FOUND."""
        values = self.read_values(b"OK")
        return None if values is None else self._reader.chunk(size_of(values[-1]))

    def read_body(self, expected: bytes) -> bytes | None:
        """Read a reply line and the job's body after it; None for NOT_FOUND."""
        values = self.read_values(expected)
        return None if values is None else self._reader.body(size_of(values[-1]))

    def read_confirmation(self, expected: bytes) -> bool:
        """Read one reply line: True for the expected line, False for NOT_FOUND."""
        line = self._reader.readline()
        if line == expected:
            return True
        if line == NOT_FOUND:
            return False
        raise unexpected(line)

    def _pipelined(
        self,
        commands: Iterable[bytes],
        read: Callable[[], T],
        join: Callable[[list[bytes]], bytes] = b"".join,
    ) -> Iterator[T]:
        """Send commands, many in a write; yield what ``read`` makes of each reply.

        ``join`` makes a write of what was taken from ``commands``.

        Replies are read while commands are written. Otherwise both sides, with their
        buffers full, would wait for the other to read.
        """
        batches = _batches(commands, join)
        unsent = memoryview(b"")
        awaited = 0
        while True:
            if not unsent and awaited < _BATCH_JOBS:  # the broker must not idle
                batch, count = next(batches, (b"", 0))
                unsent = memoryview(batch)
                awaited += count
                self._socket.deadline = None  # the iterable may have taken its time
            if unsent:
                readable, writable = self._socket.wait_until_ready()
                if writable:
                    unsent = unsent[self._socket.send_some(unsent) :]
            elif awaited:
                readable = True
            else:
                return
            if readable:
                while awaited:
                    yield read()
                    awaited -= 1
                    if not self._reader.has_line():
                        break
                self._socket.deadline = None  # each reply has the whole time-out


class _Exchange:
    """A ``with`` block of commands and their replies.

    Any error but jobqueue's own that leaves the block closes the connection: replies
    may be out of step with commands then. For example, beanstalkd answers BAD_FORMAT to
    a malformed command, and reads the rest of that command as the next one.
    """

    def __init__(self, connection: Connection, reader: ReplyReader) -> None:
        self._connection = connection
        self._reader = reader

    def __enter__(self) -> None:
        self._connection.is_in_step = False

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.fail(error)
        if error is None or isinstance(error, JobQueueError):
            # Set at the very end: a second interrupt may strike anywhere before, even
            # before the first one has closed the connection.
            self._connection.is_in_step = True

    def fail(self, error: BaseException) -> None:
        """Close the connection, and raise jobqueue's error for this one.

        Returns, for the caller to raise the error itself, in two cases: for jobqueue's
        own errors, which follow clean replies, so that the connection stays open; and
        for what is not the broker's doing, such as a Ctrl-C or a fault in jobqueue.
        """
        if isinstance(error, JobQueueError):
            return
        self._connection.close()
        address = self._connection.address
        # With a number, it is the system's: it has given the connection up.
        if isinstance(error, TimeoutError) and error.errno is None:
            raise silent(address, is_new=self._reader.is_new) from error
        if isinstance(error, OF_THE_BROKER):
            raise lost(address, error, self._reader) from error


def _batches(
    commands: Iterable[bytes], join: Callable[[list[bytes]], bytes]
) -> Iterator[tuple[bytes, int]]:
    """Yield commands joined for one write, and how many there are in it."""
    batch: list[bytes] = []
    size = 0
    for command in commands:
        batch.append(command)
        size += len(command)
        if len(batch) == _BATCH_JOBS or size >= _BATCH_BYTES:
            yield join(batch), len(batch)
            batch, size = [], 0
    yield join(batch), len(batch)
