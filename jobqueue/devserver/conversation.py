"""One connection's conversation: bytes in, replies out, when and in which pieces."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from jobqueue.devserver.broker import Broker, Job, NoJob
from jobqueue.devserver.commands import Body, Commands, reserved

_MAX_LINE = 224  # bytes, with its end: the size of beanstalkd's buffer
_WRITE_SIZE = 2**16  # bytes of replies that are worth a write
_MAX_BACKLOG = 2**20  # bytes that wait until the commands before are answered


class Wire(Protocol):
    """What a session needs of a transport: a part of what asyncio's have."""

    def write(self, data: bytes, /) -> None:
        """Send this as soon as it can be."""

    def close(self) -> None:
        """Hang up when all is sent."""

    def pause_reading(self) -> None:
        """Receive nothing for a while."""

    def resume_reading(self) -> None:
        """Receive again."""


class Conversation:
    """A connection's conversation with the broker.

    One that gets the answer to a reserve by another's doing goes into ``answered``,
    whose owner has it :meth:`proceed`.
    """

    def __init__(
        self, broker: Broker, wire: Wire, answered: "deque[Conversation]"
    ) -> None:
        self._broker = broker
        self._wire = wire
        self._answered = answered
        self._client = broker.connect(self._answer)
        self._commands = Commands(broker, self._client)
        self._read: Callable[[], bool] = self._read_command
        self._data = b""
        self._at = 0  # all before it has been read
        self._incoming: Job | None = (
            None  # the job whose body comes, if it is to be put
        )
        self._body = bytearray()
        self._missing = 0  # bytes of the body, with its end
        self._replies: list[bytes] = []
        self._size = 0  # bytes of the replies
        self._is_running = False
        self._is_held_up = False
        self._has_ended = False
        self._is_closed = False

    def receive(self, data: bytes) -> None:
        """Take in what the other side sent, and answer what is complete."""
        rest = self._data[self._at :]
        self._data = rest + data if rest else data
        self._at = 0
        self.proceed()

    def end(self) -> None:
        """Answer what was sent before the other side ended it, and hang up."""
        self._has_ended = True
        self._broker.half_close(self._client)
        self.proceed()

    def hold_up(self) -> None:
        """Answer nothing for now: the other side does not read."""
        self._is_held_up = True

    def go_on(self) -> None:
        """Answer again."""
        self._is_held_up = False
        self.proceed()

    def close(self) -> None:
        """Leave the broker: it makes ready again what was reserved."""
        self._is_closed = True
        if self._incoming:
            self._broker.forget(self._incoming)
            self._incoming = None
        self._broker.disconnect(self._client)

    def proceed(self) -> None:
        """Answer commands until there is no whole one, or something to wait for."""
        self._is_running = True
        while self._can_go_on() and self._read():
            if self._size >= _WRITE_SIZE:
                self._flush()
        self._flush()
        self._is_running = False
        if self._is_closed or (self._has_ended and self._can_go_on()):
            self.close()
            self._wire.close()
        elif len(self._data) - self._at > _MAX_BACKLOG:
            self._wire.pause_reading()
        elif not self._has_ended:
            self._wire.resume_reading()

    def _can_go_on(self) -> bool:
        return not (self._client.is_waiting or self._is_held_up or self._is_closed)

    def _flush(self) -> None:
        if self._replies:
            replies = b"".join(self._replies)
            self._replies.clear()
            self._size = 0
            self._wire.write(replies)  # may hold this up

    def _reply(self, reply: bytes) -> None:
        self._replies.append(reply)
        self._size += len(reply)

    def _answer(self, result: Job | NoJob) -> None:
        self._reply(reserved(result))
        if not self._is_running:
            self._answered.append(self)

    # Each of the following reads one thing, or returns False if it is not there yet.

    def _read_command(self) -> bool:
        line = self._next_line()
        if line is None:
            return self._skip_buffer(then=self._read_long_line)
        self._broker.tick()  # as beanstalkd does between two commands
        reply = self._commands.execute(line)
        if isinstance(reply, Body):
            self._incoming = reply.job
            self._missing = reply.size + 2
            self._read = self._read_body if reply.job else self._skip_body
        elif reply is None:
            self._is_closed = True
        else:
            self._reply(reply)
        return True

    def _read_long_line(self) -> bool:
        """Skip what is left of a line that is too long, a buffer at a time.

        As on beanstalkd, an end that two buffers share is none.
        """
        if self._next_line() is None:
            return self._skip_buffer(then=self._read_long_line)
        self._reply(b"BAD_FORMAT\r\n")
        self._read = self._read_command
        return True

    def _next_line(self) -> bytes | None:
        """Take the next line, without its end, if it is there and fits the buffer.

        As on beanstalkd, a carriage return that ends no line hides those after it.
        """
        at = self._at
        end = self._data.find(b"\r", at, at + _MAX_LINE - 1)
        if end < 0 or self._data[end + 1 : end + 2] != b"\n":
            return None
        self._at = end + 2
        return self._data[at:end]

    def _skip_buffer(self, then: Callable[[], bool]) -> bool:
        """Drop as much as beanstalkd's buffer takes, if there is that much."""
        if len(self._data) - self._at < _MAX_LINE:
            return False
        self._at += _MAX_LINE
        self._read = then
        return True

    def _read_body(self) -> bool:
        self._body += self._data[self._at : self._at + self._missing]
        if not self._skip():
            return False
        body, self._body = bytes(self._body), bytearray()
        job, self._incoming = self._incoming, None
        if job:
            self._reply(self._commands.put_body(job, body))
        return True

    def _skip_body(self) -> bool:
        if not self._skip():
            return False
        self._reply(b"JOB_TOO_BIG\r\n")
        return True

    def _skip(self) -> bool:
        """Move on in a body, and tell whether this was its end."""
        step = min(len(self._data) - self._at, self._missing)
        self._at += step
        self._missing -= step
        if self._missing:
            return False
        self._read = self._read_command
        return True


class Switchboard:
    """All sessions with one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._answered: deque[Conversation] = deque()

    def open(self, wire: Wire) -> Conversation:
        """Begin a session on a new connection."""
        return Conversation(self.broker, wire, self._answered)

    def tick(self) -> None:
        """Do all that is due now."""
        self.broker.tick()
        self.settle()

    def settle(self) -> None:
        """Let those go on who got an answer by what others did."""
        while self._answered:
            self._answered.popleft().proceed()
