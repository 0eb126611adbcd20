"""The socket to beanstalkd, from which whole replies come, or errors."""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from jobqueue.address import Address

TIMEOUT = 5.0  # seconds, to connect and for any reply

_MAX_LINE = 1024  # bytes: beanstalkd's own lines have 224 at most


class WholeReplies(io.BufferedReader):
    """A reader that never returns a part of a reply.

    greenstalk only guards its replies with ``assert``, and under ``python -O`` takes a
    reply that was cut short for a good one. Reading through this, it never sees one.
    """

    def readline(self, _size: int | None = None, /) -> bytes:
        """Return a whole line, or raise ``ConnectionError``."""
        line = super().readline(_MAX_LINE)
        if line.endswith(b"\r\n"):
            return line
        raise ConnectionError("the reply was cut short" if line else "it was closed")

    def read(self, size: int | None = -1, /) -> bytes:
        """Return that many bytes with a line's end, or raise ``ConnectionError``."""
        chunk = super().read(size)
        if len(chunk) == size and chunk.endswith(b"\r\n"):
            return chunk
        raise ConnectionError("the reply was cut short")


class BrokerSocket(socket.socket):
    """A connected socket that shares one reader with the greenstalk client on it."""

    replies: WholeReplies

    @classmethod
    def connect_to(cls, address: Address) -> Self:
        """Connect, within the time-out. Raises ``OSError``."""
        if isinstance(address.target, str):
            plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            plain.settimeout(TIMEOUT)
            with _closed_on_error(plain):
                plain.connect(address.target)
        else:
            plain = socket.create_connection(address.target, timeout=TIMEOUT)
            with _closed_on_error(plain):
                # A command that fits no single packet must not wait for an ACK.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock = cls(fileno=plain.detach())
        sock.settimeout(TIMEOUT)
        raw = socket.socket.makefile(sock, "rb", buffering=0)
        sock.replies = WholeReplies(raw, 2**16)
        return sock

    def wait_at_least(self, seconds: float) -> None:
        """Wait that long for a reply, from now on (once, not per reply: it costs)."""
        if seconds > (self.gettimeout() or 0):
            self.settimeout(seconds)

    def makefile(self, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401
        """Return the one reader, to greenstalk as to everybody."""
        return self.replies


@contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise
