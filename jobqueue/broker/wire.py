"""The socket to beanstalkd, from which whole replies come, or errors."""

import math
import select
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from jobqueue.broker.address import Address

_MAX_LINE = 1024  # bytes: beanstalkd's own lines have 224 at most
_AT_ONCE = 2**14  # bytes
_NEVER_WRITTEN = b"\0\0"
_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 15,  # seconds of silence before the first probe
    "TCP_KEEPINTVL": 5,  # seconds, between probes
    "TCP_KEEPCNT": 3,  # probes without an answer
}


class Replies:
    """What comes from a socket, in whole lines and chunks only.

    greenstalk guards its replies with no more than ``assert``, and ``python -O`` takes
    one that was cut short for a good one. Reading through this, it never sees any.
    """

    def __init__(self, sock: "BrokerSocket") -> None:
        self._socket = sock
        self._recv = sock.recv
        self._data = b""
        self._at = 0  # all before it has been read

    def readline(self) -> bytes:
        """Return the next line, with its end. Raises ``ConnectionError``."""
        start = self._at
        end = self._data.find(b"\r\n", start) + 2
        while end < 2:  # noqa: PLR2004
            self._receive()
            start = 0
            end = self._data.find(b"\r\n") + 2
        self._at = end
        return self._data[start:end]

    def read(self, size: int) -> bytes:
        """Return a chunk of that many bytes, line end included.

        Raises ``ConnectionError``.
        """
        return self.chunk(size - 2) + b"\r\n"

    def chunk(self, size: int) -> bytes:
        """Return a chunk of that many bytes, without the line end after it.

        Raises ``ConnectionError``.
        """
        return _without_end(self._with_end(size))

    def body(self, size: int) -> bytes:
        """Return a job's body of that many bytes, like :meth:`chunk`.

        If beanstalkd 1.12 is killed while it writes a job to its binlog, or moves one
        there, it finds zeros afterwards, the line end included. They all are the body
        then, so that it is no job to anybody, and can be buried.
        """
        data = self._with_end(size)
        return data if data.endswith(_NEVER_WRITTEN) else _without_end(data)

    def _with_end(self, size: int) -> bytes:
        """Return that many bytes and two more, which should be a line end."""
        start = self._at
        self._at = end = start + size + 2
        if end <= len(self._data):
            return self._data[start:end]
        begun = self._data[start:]
        self._at = len(self._data)
        return begun + self._receive_exactly(size + 2 - len(begun))

    def _receive_exactly(self, size: int) -> bytes:
        parts = []
        while size:
            parts.append(self._recv(min(size, 2**20)))
            if not parts[-1]:
                raise ConnectionError("the reply was cut short")
            size -= len(parts[-1])
        return b"".join(parts)

    def readline_after(self, seconds: float) -> bytes:
        """Return the next line, waiting for it so much longer than the usual time-out.

        Raises ``TimeoutError`` and ``ConnectionError``.
        """
        try:
            return self.readline()
        except (BlockingIOError, TimeoutError):  # the usual time-out is over
            if not seconds:
                raise
        with self._socket.waiting(seconds):  # as one, not to wake up in between
            return self.readline()

    def has_line(self) -> bool:
        """Tell whether a line can be read without waiting."""
        return self._data.find(b"\r\n", self._at) >= 0

    def close(self) -> None:
        """Do nothing: closing is the socket's."""

    def _receive(self) -> None:
        if len(self._data) - self._at > _MAX_LINE:
            raise ConnectionError("the reply does not end")
        received = self._recv(_AT_ONCE)
        if not received:
            raise ConnectionError("it was closed")
        rest = self._data[self._at :]
        self._data = rest + received if rest else received
        self._at = 0


class BrokerSocket(socket.socket):
    """A connected socket that shares one reader with the greenstalk client on it."""

    replies: Replies
    usual_timeout: float  # seconds

    @classmethod
    def connect_to(cls, address: Address) -> Self:
        """Connect, within the time-out. Raises ``OSError``."""
        if isinstance(address.target, str):
            plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            plain.settimeout(address.timeout)
            with _closed_on_error(plain):
                plain.connect(address.target)
        else:
            host, port = address.target
            # Bytes, which may be given too: for a str, Python loads all of IDNA.
            name: Any = host.encode() if host.isascii() else host
            plain = socket.create_connection((name, port), timeout=address.timeout)
            with _closed_on_error(plain):
                # A command that fits no single packet must not wait for an ACK.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _keep_alive(plain)
        sock = cls(fileno=plain.detach())
        with _closed_on_error(sock):
            sock.usual_timeout = address.timeout
            sock.wait_in_kernel(address.timeout)
        sock.replies = Replies(sock)
        return sock

    def wait_in_kernel(self, timeout: float) -> None:
        """Have the system see to the time-out, not Python, which polls before a call.

        That saves every second system call. What takes too long is a
        ``BlockingIOError`` then, or on Windows a ``TimeoutError``.
        """
        if sys.platform == "win32":
            value = struct.pack("=L", math.ceil(timeout * 1000))
        else:
            micros = max(1, round(timeout * 1_000_000))  # 0 would be for ever
            value = struct.pack("@ll", *divmod(micros, 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.setsockopt(socket.SOL_SOCKET, option, value)
        self.settimeout(None)

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Wait for so long, where the usual time-out would be over earlier."""
        self.wait_in_kernel(seconds)
        yield
        self.wait_in_kernel(self.usual_timeout)

    @contextmanager
    def sending_what_fits(self) -> Iterator[None]:
        """Let ``send`` take what fits the buffer, and not wait until all does."""
        self.settimeout(self.usual_timeout)
        yield
        self.settimeout(None)

    def ready(self) -> tuple[bool, bool]:
        """Wait until something can be read or written, and return which of the two.

        Raises ``TimeoutError``.
        """
        timeout = self.usual_timeout
        if hasattr(select, "poll"):
            poll = select.poll()  # select() takes no file descriptor from 1024 on
            poll.register(self, select.POLLIN | select.POLLOUT)
            events = poll.poll(timeout * 1000)
            event = events[0][1] if events else 0
            readable = bool(event & ~select.POLLOUT)  # at its end and in error, too
            writable = bool(event & select.POLLOUT)
        else:  # Windows
            reads, writes, _ = select.select([self], [self], [], timeout)
            readable, writable = bool(reads), bool(writes)
        if not (readable or writable):
            raise TimeoutError
        return readable, writable

    def has_received(self) -> bool:
        """Tell whether something is there to be read."""
        return is_readable(self, 0)

    def makefile(self, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401
        """Return the one reader, to greenstalk as to everybody."""
        return self.replies


def is_readable(sock: socket.socket, seconds: float) -> bool:
    """Tell whether something can be read, or comes in so many seconds.

    The socket's end and an error are something, too. Raises ``ValueError`` or
    ``OSError`` for a socket that is closed.
    """
    if not hasattr(select, "poll"):  # Windows
        timeout = None if math.isinf(seconds) else seconds
        return bool(select.select([sock], [], [], timeout)[0])
    poll = select.poll()  # select() takes no file descriptor from 1024 on
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(None if math.isinf(seconds) else seconds * 1000))


def _keep_alive(sock: socket.socket) -> None:
    """Have the system find out that the other machine is gone, while nothing is said.

    And have what lies between, routers and firewalls, not forget the connection.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):  # where a system has none, it has its own: two hours
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _without_end(data: bytes) -> bytes:
    if not data.endswith(b"\r\n"):
        raise ConnectionError("the reply is longer than it says")
    return data[:-2]
