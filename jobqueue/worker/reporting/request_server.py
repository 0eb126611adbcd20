"""A port that answers short requests of HTTP, in one thread and within bounds.

Anything that reaches the port can open connections, send slowly or not at all, and ask
without a pause. The process needs its file descriptors and its time for other things.
"""

import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence

MAX_CLIENTS = 64  # connections at a time; one more, and the oldest is closed
MAX_REQUEST = 2**14  # bytes: Prometheus sends some 300
CLIENT_TIMEOUT = 10.0  # seconds for a whole request, up to the end of its response
_REST = 3  # times the CPU time of the work before: so all take a quarter of a core
PAUSE = 1.0  # seconds, after an error such as a lack of file descriptors

_END = re.compile(rb"\n\r?\n")
_FAILED = b"HTTP/1.0 500 Internal Server Error\r\n\r\n"

Answer = Callable[[Sequence[bytes]], Sequence[bytes]]


class RequestServer:
    """Serves a listening socket: :meth:`run_forever` is for a thread of its own.

    ``answer`` returns the responses to requests that came together, and ``on_error`` is
    given what it raises. A connection is closed after its response.

    A client that sends its request at once is answered before any other client can be
    preferred to it, so a scrape succeeds though others hold connections open.
    """

    def __init__(
        self,
        listening: socket.socket,
        answer: Answer,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._listening = listening
        self._answer = answer
        self._on_error = on_error
        self._clients: dict[_Client, None] = {}  # the oldest first
        self._selector = selectors.DefaultSelector()
        listening.settimeout(0)
        self._selector.register(listening, selectors.EVENT_READ)

    def run_forever(self) -> None:
        """Serve until the process ends."""
        while True:
            self.serve_once()

    def serve_once(self) -> None:
        """Wait until there is something to do, do it, and rest in proportion."""
        try:
            self._serve_once()
        except Exception as error:  # noqa: BLE001 - logged; and served again
            self._on_error(error)
            self._close_oldest()
            time.sleep(PAUSE)

    def _serve_once(self) -> None:
        events = self._selector.select(self._patience())
        began = time.thread_time()
        for key, _ in events:
            client = key.data
            if client is None:
                self._accept()
            elif client in self._clients:  # else closed to make room
                self._move_on(client)
        asking = [client for client in self._clients if client.is_asking]
        if asking:
            self._respond(asking)
        while self._clients and self._patience() == 0:
            self._close_oldest()
        time.sleep(_REST * (time.thread_time() - began))

    def _patience(self) -> float | None:
        """Return the seconds to the oldest connection's end; None if there is none."""
        oldest = next(iter(self._clients), None)
        return max(0.0, oldest.deadline - time.monotonic()) if oldest else None

    def _accept(self) -> None:
        """Accept connections that wait, and read what they have sent already."""
        for _ in range(MAX_CLIENTS):
            try:
                sock, _ = self._listening.accept()
            except (BlockingIOError, ConnectionError):
                return
            client = self._add(sock)
            self._move_on(client)
            if len(self._clients) > MAX_CLIENTS:
                self._close_oldest()

    def _add(self, sock: socket.socket) -> "_Client":
        try:
            client = _Client(sock)
            self._selector.register(sock, selectors.EVENT_READ, client)
        except BaseException:
            sock.close()  # at the system's limit, and no client yet
            raise
        self._clients[client] = None
        return client

    def _move_on(self, client: "_Client") -> None:
        try:
            if not client.move_on():
                self._close(client)
        except BlockingIOError:  # it has sent nothing yet, or reads too slowly
            pass
        except OSError:  # it has gone away
            self._close(client)

    def _respond(self, clients: "Sequence[_Client]") -> None:
        try:
            responses = self._answer([client.request() for client in clients])
        except Exception as error:  # noqa: BLE001 - logged; the clients read of it
            self._on_error(error)
            responses = [_FAILED] * len(clients)
        for client, response in zip(clients, responses, strict=True):
            client.response = memoryview(response)
            self._selector.modify(client.sock, selectors.EVENT_WRITE, client)
            self._move_on(client)

    def _close_oldest(self) -> None:
        oldest = next((c for c in self._clients if not c.is_asking), None)
        if oldest is not None:
            self._close(oldest)

    def _close(self, client: "_Client") -> None:
        del self._clients[client]
        self._selector.unregister(client.sock)
        client.sock.close()


class _Client:
    """A connection: it is read from until its request is whole, and then written to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.deadline = time.monotonic() + CLIENT_TIMEOUT
        self.is_asking = False  # its request is whole, and has no response yet
        self.response: memoryview | None = None
        self._received = bytearray()
        sock.settimeout(0)

    def request(self) -> bytes:
        """Return the whole request."""
        self.is_asking = False
        return bytes(self._received)

    def move_on(self) -> bool:
        """Receive or send what can be; return False if the connection is to be closed.

        Raises ``OSError``: a ``BlockingIOError`` if nothing can be received or sent.
        """
        if self.response is not None:
            self.response = self.response[self.sock.send(self.response) :]
            return bool(self.response)
        if self.is_asking:
            return True
        received = self.sock.recv(MAX_REQUEST)
        self._received += received
        self.is_asking = _END.search(self._received) is not None
        return bool(received) and len(self._received) <= MAX_REQUEST
