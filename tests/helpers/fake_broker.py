"""A broker that answers what a test says: for faults that no server makes on demand."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

BODY = b'{"func_name":"work","tube":"t","kwargs":{}}'
CONNECTED = (b"OK 14\r\n---\n- default\n\r\n", b"WATCHING 2\r\n", b"WATCHING 1\r\n")
RESERVED = b"RESERVED 9 %d\r\n%b\r\n" % (len(BODY), BODY)
COUNTS = (
    "pri: 7\nage: 0\ndelay: 0\nttr: 60\nreserves: 1\nreleases: 0\nburies: 0\nkicks: 0\n"
)
STATS = b"---\nid: 9\ntube: t\n" + COUNTS.encode()
STATS = b"OK %d\r\n%b\r\n" % (len(STATS), STATS)


class FakeBroker:
    """A socket that answers by a script: for faults that no server makes on demand.

    Each connection gets the same answers, one for each time something is received.
    None is silence until the client closes. After the last answer it hangs up.
    """

    def __init__(self, path: Path, *answers: bytes | None) -> None:
        self.url = f"unix://{path}"
        self.received: list[bytes] = []
        self._answers = answers
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        for answer in self._answers:
            received = connection.recv(2**20)
            if not received:
                return
            self.received.append(received)
            if answer is None:
                connection.recv(1)
            else:
                connection.sendall(answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
