"""A client that speaks beanstalkd's protocol as bytes on a socket."""

import re
import socket
from collections.abc import Sequence
from typing import BinaryIO, Self

from tests.helpers.servers import DEADLINE, Target

# Statistics that differ between two servers, or two moments; and the counts of what
# tests ask to see whether a server runs, and whether it is done.
DIFFERING = re.compile(
    rb"^(age|time-left|pause-time-left|pid|version|rusage-utime|rusage-stime|uptime|id"
    rb"|hostname|os|platform|cmd-stats|total-connections): ([^\n]*)$",
    re.MULTILINE,
)


def read_reply(file: BinaryIO) -> bytes:
    """Return the next reply, with its body if it has one; b"" at the end."""
    line = file.readline()
    words = line.split()
    if words and words[0] in (b"RESERVED", b"FOUND", b"OK"):
        line += file.read(int(words[-1]) + 2)
    return line


class RawClient:
    """A connection on which the test writes every byte."""

    def __init__(self, target: Target) -> None:
        family = socket.AF_UNIX if isinstance(target, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(target)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes, in_pieces_of: int | None = None) -> None:
        for start in range(0, len(data), in_pieces_of or len(data) or 1):
            self.socket.sendall(data[start : start + (in_pieces_of or len(data))])

    def reply(self) -> bytes:
        """Return the next reply, with its body if it has one; b"" at the end."""
        return read_reply(self._file)

    def ask(self, command: bytes) -> bytes:
        """Send one command and return its reply. The end of its line is added."""
        self.send(command + b"\r\n")
        return self.reply()

    def asks(self, *commands: bytes) -> list[bytes]:
        """Send some commands one by one and return their replies."""
        return [self.ask(command) for command in commands]

    def put(self, body: bytes = b"", priority: int = 0, delay: int = 0) -> int:
        """Put a job, to be run in 100 seconds, and return its id."""
        size = len(body)
        reply = self.ask(b"put %d %d 100 %d\r\n%b" % (priority, delay, size, body))
        word, job_id = reply.split()
        assert word == b"INSERTED"
        return int(job_id)

    def stats(self, command: bytes = b"stats") -> dict[str, str]:
        """Return the values that a command for statistics answers, without quotes."""
        _, *lines = self.ask(command).decode().splitlines()
        pairs = (line.split(": ", 1) for line in lines if ": " in line)
        return {key: value.strip('"') for key, value in pairs}

    def yaml(self, command: bytes) -> list[str]:
        """Return the lines that a command answers, without quotes.

        A ? stands for each number that depends on the clock.
        """
        chunk = self.ask(command).decode().replace('"', "").partition("\r\n")[2]
        begin, *lines = chunk.removesuffix("\n\r\n").split("\n")
        assert begin == "---"
        return [re.sub(r"(age|time-left): \d+$", r"\1: ?", line) for line in lines]

    def end(self) -> None:
        """Send no more: the connection is half-closed."""
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        """Return all replies until the server hangs up."""
        return self._file.read()

    def end_and_rest(self) -> bytes:
        """Send no more, and return all replies that still come."""
        self.end()
        return self.rest()

    def has_answer(self) -> bool:
        """Return whether something can be read without waiting."""
        self.socket.setblocking(False)
        found = bool(self._file.peek(1))
        self.socket.settimeout(DEADLINE)
        return found


def converse(
    target: Target, data: bytes | Sequence[bytes], in_pieces_of: int | None = None
) -> bytes:
    """Send data on a new connection, and return all replies."""
    with RawClient(target) as client:
        client.send(data if isinstance(data, bytes) else b"".join(data), in_pieces_of)
        return client.end_and_rest()


def comparable(reply: bytes) -> bytes:
    """Return a reply without what differs between two servers, or two moments.

    A job's id is the same on two servers; the id of a server is not. From 1.13 on,
    names are in quotes.
    """
    if not reply.startswith(b"OK "):
        return reply
    chunk = reply.partition(b"\r\n")[2].replace(b'"', b"")
    if b"\nstate: " in chunk:
        return re.sub(rb"^(age|time-left): .*$", rb"\1", chunk, flags=re.MULTILINE)
    return DIFFERING.sub(rb"\1", chunk)
