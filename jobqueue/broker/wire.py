"""The socket to beanstalkd, and the reader of whole replies from it."""

import _socket
import functools
import select
import sys
import time
from array import array
from types import BuiltinFunctionType

from jobqueue.broker.spinning import Spin
from jobqueue.broker.waiting import wait_for

_MAX_LINE = 1024  # bytes: beanstalkd's own lines have 224 at most
_READ_SIZE = 2**14  # bytes
_MAX_READ_SIZE = 2**20  # bytes
_ZEROS = b"\0\0"
_AT_ONCE = getattr(_socket, "MSG_DONTWAIT", 0)  # Windows has neither of these flags
_SENDING = _AT_ONCE | getattr(_socket, "MSG_NOSIGNAL", 0)
_SO_NOSIGPIPE = 0x1022  # macOS has this option in place of MSG_NOSIGNAL
_FIRST_WAIT = 1000  # microseconds; Linux makes 4 to 8 ms of it


class BrokerSocket(_socket.socket):
    """A socket whose waits end at a deadline, ``usual_timeout`` seconds after a send.

    It is the system's own socket: ``socket.socket`` may be another class by now. gevent
    and eventlet, PySocks, pytest-socket and tracers replace it, some of them long after
    jobqueue was imported. Waits go through ``select``, so that gevent and eventlet,
    which replace that as well, run other greenlets in the meantime.

    A send to a broker that is gone raises an error, and no SIGPIPE, which would end a
    process that has given that signal its default action.
    """

    def __init__(
        self, family: int, usual_timeout: float, fileno: int | None = None
    ) -> None:
        super().__init__(family, _socket.SOCK_STREAM, 0, fileno)
        self.reader = ReplyReader(self)
        # In time.monotonic(). None lets the next wait set it: most need no clock.
        self.deadline: float | None = None
        self.spin: Spin | None = None  # None: it would never succeed
        self._usual_timeout = usual_timeout
        self._timeout = usual_timeout
        self.settimeout(0)
        if sys.platform == "darwin":
            self.setsockopt(_socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)

    def connected(self) -> None:
        """Take note that the socket is connected.

        From now on ``recv`` itself waits for a few milliseconds: most replies come in
        that time, so that most need no system call but that one. It waits no longer,
        as each signal makes the wait in ``recv`` begin anew.
        """
        self.deadline = None
        if isinstance(getattr(select, "poll", None), BuiltinFunctionType):
            self.settimeout(None)
            value = array("l", [0, _FIRST_WAIT])
            self.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, value)
            if _AT_ONCE and Spin.is_worthwhile():
                self.spin = Spin(functools.partial(self.recv, _READ_SIZE, _AT_ONCE))

    def shorten_waits(self, seconds: float) -> None:
        """Wait for so many seconds less than usual, from the next exchange on."""
        self.deadline = None
        self._timeout = self._usual_timeout - seconds

    def seconds_left(self, extra: float = 0) -> float:
        """Return how many seconds are left to wait; 0 when the deadline is over.

        If no deadline is set, it is set now, some ``extra`` seconds later than usual.
        """
        now = time.monotonic()
        if self.deadline is None:
            self.deadline = now + self._timeout + extra
        return max(0.0, self.deadline - now)

    def send_all(self, data: bytes) -> None:
        """Begin an exchange: send data whole. Raises ``OSError``."""
        self.deadline = None
        try:
            sent = self.send(data, _SENDING)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._send_rest(memoryview(data)[sent:])

    def send_some(self, data: bytes | memoryview) -> int:
        """Send what can be sent without waiting, and return how many bytes it is."""
        try:
            return self.send(data, _SENDING)
        except BlockingIOError:
            return 0

    def receive(self, size: int, extra: float = 0) -> bytes:
        """Return up to ``size`` bytes that arrive before the deadline.

        After the deadline, only what has arrived already. Raises ``TimeoutError``.
        """
        while True:
            seconds = self.seconds_left(extra)
            try:
                return self.recv(size, 0 if seconds else _AT_ONCE)
            except BlockingIOError:
                if not seconds:
                    raise TimeoutError from None
                wait_for(self, seconds, read=True)

    def has_received(self) -> bool:
        """Return whether data, the end of the stream, or an error can be read now.

        Raises ``OSError`` if the socket is closed. For any thread.
        """
        # Not by a poll: eventlet lets only one greenlet wait for a socket.
        try:
            self.recv(1, _socket.MSG_PEEK | _AT_ONCE)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return True

    def wait_until_ready(self) -> tuple[bool, bool]:
        """Wait until data can be read or written; return whether each of them can.

        The end of the stream, and an error, count as data to read. Raises
        ``TimeoutError``.
        """
        ready = wait_for(self, self.seconds_left(), read=True, write=True)
        if True not in ready:
            raise TimeoutError
        return ready

    def _send_rest(self, data: memoryview) -> None:
        while data:
            if not wait_for(self, self.seconds_left(), write=True)[1]:
                raise TimeoutError
            data = data[self.send_some(data) :]


class ReplyReader:
    """Reads replies from a socket: whole lines and chunks only.

    A reply that was cut short raises an error, also under ``python -O``, where
    greenstalk's own reader would accept it.
    """

    def __init__(self, sock: BrokerSocket) -> None:
        self._socket = sock
        self._recv = sock.recv
        self._buffer = b""
        self._position = 0  # in the buffer: everything before it has been read
        self._missing = 0  # bytes of a chunk that have not been received

    def readline(self, extra: float = 0) -> bytes:
        """Return the next line with its line end.

        Waits ``extra`` seconds longer than usual. Raises ``TimeoutError`` or
        ``ConnectionError``.
        """
        start = self._position
        end = self._buffer.find(b"\r\n", start) + 2
        while end < 2:  # noqa: PLR2004
            self._fill(extra)
            start = 0
            end = self._buffer.find(b"\r\n") + 2
            if extra and end < 2:  # noqa: PLR2004 - it has begun: its end is not far
                self._socket.deadline = None
                extra = 0
        self._position = end
        return self._buffer[start:end]

    def keep(self, received: bytes) -> None:
        """Take what was received past this reader, as by a :class:`Spin`."""
        if received:
            self._buffer = self._buffer[self._position :] + received
            self._position = 0

    def has_line(self) -> bool:
        """Return whether a line can be read without waiting."""
        return self._buffer.find(b"\r\n", self._position) >= 0

    def receive_available(self) -> None:
        """Receive what has arrived, without waiting. Raises ``ConnectionError``."""
        if self._socket.has_received():
            self._fill()

    def has_replies(self, count: int) -> bool:
        """Return whether so many whole replies can be read without waiting.

        A reply is a line, and after a line of ``OK`` or ``RESERVED`` its data.
        """
        position = self._position
        for _ in range(count):
            end = self._buffer.find(b"\r\n", position)
            if end < 0:
                return False
            word, _, size = self._buffer[position:end].rpartition(b" ")
            position = end + 2
            if word[:3] in (b"OK", b"RES") and size.isdigit():
                position += int(size) + 2
        return position <= len(self._buffer)

    @property
    def is_new(self) -> bool:
        """Whether nothing has been received so far."""
        return not self._buffer

    def unread(self) -> bytes:
        """Return what has been received, but not read yet."""
        return self._buffer[self._position :]

    def chunk(self, size: int) -> bytes:
        """Return a chunk of this many bytes, and skip the line end after it.

        Raises ``TimeoutError`` or ``ConnectionError``.
        """
        return _without_line_end(self._read_exactly(size + 2))

    def body(self, size: int) -> bytes:
        """Return a job's body of this many bytes, like :meth:`chunk`.

        If beanstalkd is killed while it writes a job to its binlog, or moves the
        job there, it later reads zeros in place of the body and its line end. All these
        zeros are returned as the body. A worker can't run such a job, and buries it.
        """
        data = self._read_exactly(size + 2)
        if data.endswith(b"\r\n"):  # without a call: each job comes here
            return data[:-2]
        return data if data.endswith(_ZEROS) else _without_line_end(data)

    def drop_body(self, size: int) -> bytes:
        """Return a ``DroppedBody`` after :meth:`body` had no memory for a body.

        The rest of the body is read nevertheless, so that the next reply can be.
        """
        self._drop_missing()
        from jobqueue.broker.dropped_body import DroppedBody  # noqa: PLC0415 - rarely needed

        return DroppedBody(size)

    def skip_body(self, size: int) -> None:
        """Read a job's body in pieces, and keep none of it."""
        buffered = min(len(self._buffer) - self._position, size + 2)
        self._position += buffered
        self._missing = size + 2 - buffered
        self._drop_missing()

    def _fill(self, extra: float = 0) -> None:
        """Receive more into the buffer."""
        rest = self._buffer[self._position :]
        if len(rest) > _MAX_LINE:
            raise ConnectionError("the reply does not end")
        if rest:  # a broker may send byte after byte: the deadline is for them all
            received = self._socket.receive(_READ_SIZE, extra)
        else:
            try:
                received = self._recv(_READ_SIZE)
            except BlockingIOError:
                received = self._socket.receive(_READ_SIZE, extra)
        if not received:
            raise ConnectionError("it was closed")
        self._buffer = rest + received if rest else received
        self._position = 0

    def _read_exactly(self, size: int) -> bytes:
        start = self._position
        self._position = end = start + size
        if end <= len(self._buffer):
            return self._buffer[start:end]
        parts = [self._buffer[start:]]
        self._position = len(self._buffer)
        self._missing = size - len(parts[0])
        while self._missing:
            parts.append(self._receive_missing(_MAX_READ_SIZE))
        return b"".join(parts)

    def _receive_missing(self, size: int) -> bytes:
        """Return a part of what is missing. A new deadline begins at each MiB of it."""
        before = self._missing
        part = self._socket.receive(min(before, size))
        if not part:
            raise ConnectionError("the reply was cut short")
        self._missing = before - len(part)
        if before // _MAX_READ_SIZE > self._missing // _MAX_READ_SIZE:
            self._socket.deadline = None
        return part

    def _drop_missing(self) -> None:
        while self._missing:
            self._receive_missing(_READ_SIZE)


def _without_line_end(data: bytes) -> bytes:
    if not data.endswith(b"\r\n"):
        raise ConnectionError("the reply is longer than it says")
    return data[:-2]
