"""The conversation of one connection: bytes come in, replies go out."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from jobqueue.devserver import replies
from jobqueue.devserver.broker import Broker
from jobqueue.devserver.commands import BodyFollows, Commands
from jobqueue.devserver.foreign import protocol_of, protocol_of_start
from jobqueue.devserver.records import NoJob, StoredJob

_log = logging.getLogger("jobqueue.devserver")

_MAX_LINE = 224  # bytes, with the line's end: the size of beanstalkd's buffer
_WRITE_SIZE = 2**16  # bytes of replies that are sent without waiting for more
_MAX_BACKLOG = 2**20  # bytes of commands that wait for the reply to one before


class Transport(Protocol):
    """The part of an asyncio transport that a conversation needs."""

    def write(self, data: bytes, /) -> None:
        """Send bytes as soon as the other side takes them."""

    def close(self) -> None:
        """Close the connection when everything is sent."""

    def pause_reading(self) -> None:
        """Receive nothing until reading is resumed."""

    def resume_reading(self) -> None:
        """Receive again."""


class Conversation:
    """The conversation of one connection with the broker.

    A reserve that waits is answered during a command of another connection, such as a
    put. The conversation that waited is then added to ``answered``, whose owner calls
    :meth:`proceed` later: calls within calls could nest without a limit.
    """

    def __init__(
        self, broker: Broker, transport: Transport, answered: "deque[Conversation]"
    ) -> None:
        self._broker = broker
        self._transport = transport
        self._answered = answered
        self._client = broker.connect(self._answer)
        self._commands = Commands(broker, self._client)
        self._read_next: Callable[[], bool] = self._read_command
        self._data = b""
        self._at = 0  # where to read on in the data
        self._incoming: StoredJob | None = None  # the job whose body comes next
        self._body = bytearray()
        self._missing = 0  # bytes of the body that have not come, with its end
        self._replies: list[bytes] = []
        self._size = 0  # bytes of the replies
        self._is_running = False
        self._is_writing_paused = False
        self._is_half_closed = False
        self._is_closed = False

    def receive(self, data: bytes) -> None:
        """Take bytes from the other side, and answer the commands that are complete."""
        rest = self._data[self._at :]
        self._data = rest + data if rest else data
        self._at = 0
        self.proceed()

    def end(self) -> None:
        """Answer the commands sent before the end of the data, then close."""
        self._is_half_closed = True
        self._broker.half_close(self._client)
        self.proceed()

    def pause(self) -> None:
        """Answer nothing for now: the other side does not read."""
        self._is_writing_paused = True

    def resume(self) -> None:
        """Answer again: the other side has read."""
        self._is_writing_paused = False
        self.proceed()

    def close(self) -> None:
        """Disconnect from the broker, which makes this client's jobs ready again."""
        self._is_closed = True
        if self._incoming:
            self._broker.forget(self._incoming)
            self._incoming = None
        self._broker.disconnect(self._client)

    def proceed(self) -> None:
        """Answer commands until none is complete, or one has to wait."""
        self._is_running = True
        while self._can_proceed() and self._read_next():
            if self._size >= _WRITE_SIZE:
                self._flush()
        self._flush()
        self._is_running = False
        if self._at == len(self._data):
            self._data, self._at = b"", 0  # an idle connection keeps nothing
        if self._is_closed or (self._is_half_closed and self._can_proceed()):
            self.close()
            self._transport.close()
        elif len(self._data) - self._at > _MAX_BACKLOG:
            self._transport.pause_reading()
        elif not self._is_half_closed:
            self._transport.resume_reading()

    def _can_proceed(self) -> bool:
        return not (
            self._client.is_waiting or self._is_writing_paused or self._is_closed
        )

    def _flush(self) -> None:
        if self._replies:
            written = b"".join(self._replies)
            self._replies.clear()
            self._size = 0
            self._transport.write(written)  # may call pause()

    def _reply(self, reply: bytes) -> None:
        self._replies.append(reply)
        self._size += len(reply)

    def _answer(self, result: StoredJob | NoJob) -> None:
        self._reply(replies.reserved(result))
        if not self._is_running:
            self._answered.append(self)

    # Each _read method reads one thing, or returns False if it has not come yet.

    def _read_command(self) -> bool:
        line = self._next_line()
        if line is None:
            start = self._data[self._at : self._at + _MAX_LINE]
            if len(start) == _MAX_LINE and (protocol := protocol_of_start(start)):
                return self._refuse(protocol)
            return self._skip_buffer(then=self._read_long_line)
        if protocol := protocol_of(line):
            return self._refuse(protocol)
        self._broker.tick()  # as beanstalkd does between two commands
        reply = self._commands.execute(line)
        if isinstance(reply, BodyFollows):
            self._incoming = reply.job
            self._missing = reply.size + 2
            self._read_next = self._read_body if reply.job else self._skip_body
        elif reply is None:
            self._is_closed = True
        else:
            self._reply(reply)
        return True

    def _refuse(self, protocol: str) -> bool:
        """Close the connection of a client that speaks another protocol."""
        _log.warning(
            "A connection was closed: it speaks %s, and this is a port of beanstalkd's "
            "protocol. Only a web page or a wrong address sends that here.",
            protocol,
        )
        self._is_closed = True
        return True

    def _read_long_line(self) -> bool:
        """Skip the rest of a line that is too long, a buffer at a time.

        As beanstalkd does, it overlooks a line's end that is spread over two buffers.
        """
        if self._next_line() is None:
            return self._skip_buffer(then=self._read_long_line)
        self._reply(replies.BAD_FORMAT)
        self._read_next = self._read_command
        return True

    def _next_line(self) -> bytes | None:
        """Take the next line, without its end; None if no whole line is in the buffer.

        As beanstalkd does, it looks at the first carriage return of the buffer only: if
        no line feed follows that one, later line ends in the buffer are overlooked.
        """
        at = self._at
        end = self._data.find(b"\r", at, at + _MAX_LINE - 1)
        if end < 0 or self._data[end + 1 : end + 2] != b"\n":
            return None
        self._at = end + 2
        return self._data[at:end]

    def _skip_buffer(self, then: Callable[[], bool]) -> bool:
        """Drop as many bytes as beanstalkd's buffer holds, once that many have come."""
        if len(self._data) - self._at < _MAX_LINE:
            return False
        self._at += _MAX_LINE
        self._read_next = then
        return True

    def _read_body(self) -> bool:
        self._body += self._data[self._at : self._at + self._missing]
        if not self._move_on():
            return False
        body, self._body = bytes(self._body), bytearray()
        job, self._incoming = self._incoming, None
        if job:
            self._reply(self._commands.put_body(job, body))
        return True

    def _skip_body(self) -> bool:
        if not self._move_on():
            return False
        self._reply(replies.JOB_TOO_BIG)
        return True

    def _move_on(self) -> bool:
        """Move on to the end of a body, and return whether all of it has come."""
        step = min(len(self._data) - self._at, self._missing)
        self._at += step
        self._missing -= step
        if self._missing:
            return False
        self._read_next = self._read_command
        return True


class Conversations:
    """The conversations of all connections with one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._answered: deque[Conversation] = deque()

    def start(self, transport: Transport) -> Conversation:
        """Start a conversation on a new connection."""
        return Conversation(self.broker, transport, self._answered)

    def tick(self) -> None:
        """Do everything that is due now."""
        self.broker.tick()
        self.proceed()

    def proceed(self) -> None:
        """Continue conversations whose reserve was answered by another's command."""
        while self._answered:
            self._answered.popleft().proceed()
