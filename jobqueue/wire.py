"""The socket to beanstalkd, from which whole replies come, or errors."""

import math
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from jobqueue.address import Address

_MAX_LINE = 1024  # bytes: beanstalkd's own lines have 224 at most
_AT_ONCE = 2**14  # bytes


class Replies:
    """What comes from a socket, in whole lines and chunks only.

    greenstalk guards its replies with no more than ``assert``, and ``python -O`` takes
    one that was cut short for a good one. Reading through this, it never sees any.
    """

    def __init__(self, sock: socket.socket) -> None:
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
        start = self._at
        end = start + size
        self._at = end + 2
        if self._at > len(self._data):
            return self._receive_chunk(size, self._data[start:])
        if self._data[end : end + 2] != b"\r\n":
            raise ConnectionError("the reply is longer than it says")
        return self._data[start:end]

    def _receive_chunk(self, size: int, begun: bytes) -> bytes:
        self._at = len(self._data)
        chunk = begun + self._receive_exactly(size + 2 - len(begun))
        if not chunk.endswith(b"\r\n"):
            raise ConnectionError("the reply is longer than it says")
        return chunk[:-2]

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
        deadline: float | None = None
        while True:
            try:
                return self.readline()
            except (BlockingIOError, TimeoutError):  # the usual time-out is over
                now = time.monotonic()
                deadline = deadline or now + seconds
                if now >= deadline:
                    raise TimeoutError from None

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

    @classmethod
    def connect_to(cls, address: Address) -> Self:
        """Connect, within the time-out. Raises ``OSError``."""
        if isinstance(address.target, str):
            plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            plain.settimeout(address.timeout)
            with _closed_on_error(plain):
                plain.connect(address.target)
        else:
            plain = socket.create_connection(address.target, timeout=address.timeout)
            with _closed_on_error(plain):
                # A command that fits no single packet must not wait for an ACK.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock = cls(fileno=plain.detach())
        with _closed_on_error(sock):
            sock.wait_in_kernel(address.timeout)
        sock.replies = Replies(sock)
        return sock

    def wait_in_kernel(self, timeout: float) -> None:
        """Have the system see to the time-out, not Python, which polls before a call.

        That saves every second system call. What takes too long is a
        ``BlockingIOError`` then, or on Windows a ``TimeoutError``.
        """
        self._timeout = timeout
        if sys.platform == "win32":
            value = struct.pack("=L", math.ceil(timeout * 1000))
        else:
            micros = max(1, round(timeout * 1_000_000))  # 0 would be for ever
            value = struct.pack("@ll", *divmod(micros, 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.setsockopt(socket.SOL_SOCKET, option, value)
        self.settimeout(None)

    @contextmanager
    def sending_what_fits(self) -> Iterator[None]:
        """Let ``send`` take what fits the buffer, and not wait until all does."""
        self.settimeout(self._timeout)
        yield
        self.settimeout(None)

    def ready(self) -> tuple[bool, bool]:
        """Wait until something can be read or written, and return which of the two.

        Raises ``TimeoutError``.
        """
        timeout = self._timeout
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


@contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise
