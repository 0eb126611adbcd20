"""A broker that answers what a test says: for faults that no server makes on demand."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

BODY = b'{"func_name":"work","tube":"t","kwargs":{}}'
RESERVED = b"RESERVED 9 %d\r\n%b\r\n" % (len(BODY), BODY)
NOT_FOUND = b"NOT_FOUND\r\n"


def stats_reply(**counts: int) -> bytes:
    """Return the reply to `stats-job` for job 9, reserved for the first time."""
    usual = {"pri": 7, "age": 0, "delay": 0, "ttr": 60, "reserves": 1}
    usual |= {"releases": 0, "buries": 0, "kicks": 0}
    lines = [f"{name}: {value}\n" for name, value in (usual | counts).items()]
    text = ("---\nid: 9\ntube: t\nstate: reserved\n" + "".join(lines)).encode()
    return b"OK %d\r\n%b\r\n" % (len(text), text)


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes to send, and whether to hang up after them."""

    data: bytes
    hangs_up: bool = False


SILENCE = Answer(b"")
HANG_UP = Answer(b"", hangs_up=True)


def cut(data: bytes) -> Answer:
    """Return an answer after which the broker hangs up."""
    return Answer(data, hangs_up=True)


# Answers to the commands with which a connection chooses its tubes.
USUAL: dict[bytes, Answer] = {
    b"use": Answer(b"USING t\r\n"),
    b"watch": Answer(b"WATCHING 2\r\n"),
    b"ignore": Answer(b"WATCHING 1\r\n"),
}


class FakeBroker:
    """A server on a Unix socket that answers each command as `on` was told.

    It answers the usual to commands that choose tubes. Any other command for which it
    has no answer fails the test.

    `received` has the commands, each with the end of its line and a put with its body;
    `writes` has the same bytes in the pieces in which they arrived.
    """

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.received: list[bytes] = []
        self.writes: list[bytes] = []
        self._answers = {name: [answer] for name, answer in USUAL.items()}
        self._unexpected: list[bytes] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def on(self, command: bytes, *answers: bytes | Answer) -> Self:
        """Answer a command: with the first answer, the second ..., then the last again.

        The turns are counted over all connections.
        """
        self._answers[command] = [
            Answer(answer) if isinstance(answer, bytes) else answer
            for answer in answers
        ]
        return self

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        for command in self._commands(connection):
            self.received.append(command)
            answer = self._next_answer(command)
            connection.sendall(answer.data)
            if answer.hangs_up:
                return

    def _commands(self, connection: socket.socket) -> Iterator[bytes]:
        """Yield each command that arrives, until the client closes the connection."""
        data = b""
        while arrived := connection.recv(2**20):
            self.writes.append(arrived)
            data += arrived
            while size := size_of_command(data):
                yield data[:size]
                data = data[size:]

    def _next_answer(self, command: bytes) -> Answer:
        answers = self._answers.get(command.split()[0])
        if answers is None:
            self._unexpected.append(command)
            return HANG_UP
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        if self._unexpected and error is None:
            raise AssertionError(f"no answer was given for {self._unexpected}")


def size_of_command(data: bytes) -> int:
    """Return the size of the first command in bytes; 0 if it is not all there."""
    line, end, body = data.partition(b"\r\n")
    size = len(line + end)
    if not end:
        return 0
    if line.startswith(b"put "):
        rest = int(line.split()[-1]) + len(b"\r\n")
        return size + rest if len(body) >= rest else 0
    return size
