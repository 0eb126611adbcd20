"""The socket to beanstalkd, and the reader of whole replies from it."""

import math
import select
import socket
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from jobqueue.broker.address import Address

_MAX_LINE = 1024  # bytes: beanstalkd's own lines have 224 at most
_READ_SIZE = 2**14  # bytes
_MAX_READ_SIZE = 2**20  # bytes
_ZEROS = b"\0\0"
_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 15,  # seconds of silence before the first probe
    "TCP_KEEPINTVL": 5,  # seconds between probes
    "TCP_KEEPCNT": 3,  # probes without an answer
}


class ReplyReader:
    """Reads replies from a socket: whole lines and chunks only.

    greenstalk checks replies with ``assert`` alone: under ``python -O`` it would accept
    a reply that was cut short. This reader raises an error for such a reply instead.
    """

    def __init__(self, sock: "BrokerSocket") -> None:
        self._socket = sock
        self._recv = sock.recv
        self._buffer = b""
        self._position = 0  # in the buffer: everything before it has been read

    def readline(self) -> bytes:
        """Return the next line with its line end. Raises ``ConnectionError``."""
        start = self._position
        end = self._buffer.find(b"\r\n", start) + 2
        while end < 2:  # noqa: PLR2004
            self._fill()
            start = 0
            end = self._buffer.find(b"\r\n") + 2
        self._position = end
        return self._buffer[start:end]

    def readline_waiting(self, seconds: float) -> bytes:
        """Return the next line, waiting these seconds longer than the usual time-out.

        Raises ``TimeoutError``, ``BlockingIOError`` (see :meth:`set_kernel_timeout`) or
        ``ConnectionError``.
        """
        try:
            return self.readline()
        except (BlockingIOError, TimeoutError):  # after the usual time-out
            if not seconds:
                raise
        with self._socket.timeout_of(seconds):  # one long wait: no wake-ups in between
            return self.readline()

    def has_line(self) -> bool:
        """Return whether a line can be read without waiting."""
        return self._buffer.find(b"\r\n", self._position) >= 0

    def receive_available(self) -> None:
        """Receive what has arrived, without waiting. Raises ``ConnectionError``."""
        if self._socket.has_received():
            self._fill()

    def has_replies(self, count: int) -> bool:
        """Return whether so many whole replies can be read without waiting.

        A reply is a line, and after a line of ``OK`` its data.
        """
        position = self._position
        for _ in range(count):
            end = self._buffer.find(b"\r\n", position)
            if end < 0:
                return False
            word, _, size = self._buffer[position:end].rpartition(b" ")
            position = end + 2
            if word == b"OK" and size.isdigit():
                position += int(size) + 2
        return position <= len(self._buffer)

    def read(self, size: int) -> bytes:
        """Return this many bytes, which end a chunk, line end included.

        For greenstalk. Raises ``ConnectionError``.
        """
        return self.chunk(size - 2) + b"\r\n"

    def chunk(self, size: int) -> bytes:
        """Return a chunk of this many bytes, and skip the line end after it.

        Raises ``ConnectionError``.
        """
        return _without_line_end(self._read_exactly(size + 2))

    def body(self, size: int) -> bytes:
        """Return a job's body of this many bytes, like :meth:`chunk`.

        If beanstalkd is killed while it writes a job to its binlog, or moves the
        job there, it later reads zeros in place of the body and its line end. All these
        zeros are returned as the body. A worker can't run such a job, and buries it.
        """
        data = self._read_exactly(size + 2)
        return data if data.endswith(_ZEROS) else _without_line_end(data)

    def close(self) -> None:
        """Do nothing, as closing is up to the socket. For greenstalk."""

    def _fill(self) -> None:
        """Receive more into the buffer."""
        if len(self._buffer) - self._position > _MAX_LINE:
            raise ConnectionError("the reply does not end")
        received = self._recv(_READ_SIZE)
        if not received:
            raise ConnectionError("it was closed")
        rest = self._buffer[self._position :]
        self._buffer = rest + received if rest else received
        self._position = 0

    def _read_exactly(self, size: int) -> bytes:
        start = self._position
        self._position = end = start + size
        if end <= len(self._buffer):
            return self._buffer[start:end]
        buffered = self._buffer[start:]
        self._position = len(self._buffer)
        return buffered + self._receive_exactly(size - len(buffered))

    def _receive_exactly(self, size: int) -> bytes:
        parts = []
        while size:
            parts.append(self._recv(min(size, _MAX_READ_SIZE)))
            if not parts[-1]:
                raise ConnectionError("the reply was cut short")
            size -= len(parts[-1])
        return b"".join(parts)


class BrokerSocket(socket.socket):
    """A connected socket that shares its one reader with a greenstalk client."""

    reader: ReplyReader
    usual_timeout: float  # seconds

    @classmethod
    def connect_to(cls, address: Address) -> Self:
        """Connect within the time-out of the address. Raises ``OSError``."""
        if isinstance(address.target, str):
            plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            plain.settimeout(address.timeout)
            with _closed_on_error(plain):
                plain.connect(address.target)
        else:
            host, port = address.target
            # As bytes, which work as well: for a str, Python imports all of IDNA.
            name: Any = host.encode() if host.isascii() else host
            plain = socket.create_connection((name, port), timeout=address.timeout)
            with _closed_on_error(plain):
                # No packet of a command waits for the ACK of the packet before it.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _keep_alive(plain)
        sock = cls(fileno=plain.detach())
        with _closed_on_error(sock):
            sock.usual_timeout = address.timeout
            sock.set_kernel_timeout(address.timeout)
        sock.reader = ReplyReader(sock)
        return sock

    def set_kernel_timeout(self, timeout: float) -> None:
        """Let the system time out reads and writes, after this many seconds.

        Python would poll before each call: this saves every second system call. A
        time-out raises ``BlockingIOError``, or on Windows ``TimeoutError``.
        """
        if sys.platform == "win32":
            value = array("L", [math.ceil(timeout * 1000)])
        else:
            micros = max(1, round(timeout * 1_000_000))  # 0 would mean no time-out
            value = array("l", divmod(micros, 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.setsockopt(socket.SOL_SOCKET, option, value)
        self.settimeout(None)

    @contextmanager
    def timeout_of(self, seconds: float) -> Iterator[None]:
        """Use another time-out than the usual one inside a ``with`` block."""
        self.set_kernel_timeout(seconds)
        yield
        self.set_kernel_timeout(self.usual_timeout)

    @contextmanager
    def partial_sends(self) -> Iterator[None]:
        """Let ``send`` return when the buffer is full, inside a ``with`` block."""
        self.settimeout(self.usual_timeout)
        yield
        self.settimeout(None)

    def wait_until_ready(self) -> tuple[bool, bool]:
        """Wait until data can be read or written; return whether each of them can.

        The end of the stream, and an error, count as data to read. Raises
        ``TimeoutError``.
        """
        timeout = self.usual_timeout
        if hasattr(select, "poll"):
            poll = select.poll()  # select() takes no file descriptor from 1024 on
            poll.register(self, select.POLLIN | select.POLLOUT)
            events = poll.poll(timeout * 1000)
            event = events[0][1] if events else 0
            readable = bool(event & ~select.POLLOUT)
            writable = bool(event & select.POLLOUT)
        else:  # Windows
            reads, writes, _ = select.select([self], [self], [], timeout)
            readable, writable = bool(reads), bool(writes)
        if not (readable or writable):
            raise TimeoutError
        return readable, writable

    def has_received(self) -> bool:
        """Return whether data, the end of the stream, or an error can be read now.

        Raises ``ValueError`` or ``OSError`` if the socket is closed.
        """
        return wait_readable(self, 0)

    def makefile(self, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401
        """Return the one reader, to greenstalk as well."""
        return self.reader


def wait_readable(sock: socket.socket, seconds: float) -> bool:
    """Wait until a socket can be read, for at most some seconds; return whether it can.

    The end of the stream, and an error, count as data to read. Raises ``ValueError`` or
    ``OSError`` if the socket is closed.
    """
    if not hasattr(select, "poll"):  # Windows
        timeout = None if math.isinf(seconds) else seconds
        return bool(select.select([sock], [], [], timeout)[0])
    poll = select.poll()  # select() takes no file descriptor from 1024 on
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(None if math.isinf(seconds) else seconds * 1000))


def _keep_alive(sock: socket.socket) -> None:
    """Let the system probe an idle connection.

    The probes find out that the other machine is gone, and keep routers and firewalls
    in between from forgetting the connection.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):  # else the system's default stays, often two hours
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _without_line_end(data: bytes) -> bytes:
    if not data.endswith(b"\r\n"):
        raise ConnectionError("the reply is longer than it says")
    return data[:-2]
