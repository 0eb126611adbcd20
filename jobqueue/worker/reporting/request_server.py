"""A port that answers short requests of HTTP, in one thread and within bounds.

Anything that reaches the port can open connections, send slowly or not at all, and ask
without a pause. The process needs its file descriptors and its time for other things.
"""

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence

from jobqueue.errors import JobQueueError
from jobqueue.worker.threads import start_thread

MAX_CLIENTS = 64  # connections at a time; one more, and the oldest is closed
MAX_REQUEST = 2**14  # bytes: Prometheus sends some 300
CLIENT_TIMEOUT = 10.0  # seconds for a whole request, up to the end of its response
_REST = 3  # times the CPU time of the work before: so all take a quarter of a core
PAUSE = 1.0  # seconds, after an error such as a lack of file descriptors

_END = re.compile(rb"\n\r?\n")
_FAILED = b"HTTP/1.0 500 Internal Server Error\r\n\r\n"

Answer = Callable[[Sequence[bytes]], Sequence[bytes]]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ``OSError`` and ``ValueError``."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family)


class RequestServer:
    """Serves a listening socket: :meth:`run_forever` is for a thread of its own.

    ``answer`` returns the responses to requests that came together, and ``on_error`` is
    given what it raises. A connection is closed after its response. The requests that
    ``is_slow`` names are answered in another thread, so that the others don't wait.

    A client that sends its request at once is answered before any other client can be
    preferred to it, so a scrape succeeds though others hold connections open.
    """

    def __init__(
        self,
        listening: socket.socket,
        answer: Answer,
        on_error: Callable[[Exception], None],
        is_slow: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self._listening = listening
        self._answer = answer
        self._on_error = on_error
        self._is_slow = is_slow
        self._slow: _SlowAnswers | None = None
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
            elif isinstance(client, _SlowAnswers):
                self._send(*client.take())
            elif client in self._clients:  # else closed to make room
                self._move_on(client)
        self._respond()
        while (oldest := next(iter(self._clients), None)) and oldest.is_late():
            self._close(oldest)
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

    def _respond(self) -> None:
        asking = [client for client in self._clients if client.is_asking]
        slow = [client for client in asking if self._is_slow(client.request)]
        quick = [client for client in asking if client not in slow]
        if quick:
            self._send(quick, self._answers([client.request for client in quick]))
        if slow and (self._slow is None or self._slow.is_free):
            self._begin_slow(slow)

    def _begin_slow(self, clients: "Sequence[_Client]") -> None:
        if self._slow is None:
            self._slow = _SlowAnswers(self._answers)
            self._selector.register(self._slow, selectors.EVENT_READ, self._slow)
        try:
            self._slow.begin(clients)
        except JobQueueError as error:
            self._on_error(error)
            self._send(clients, [_FAILED] * len(clients))
        else:
            for client in clients:  # what it sends meanwhile must not wake this thread
                self._selector.unregister(client.sock)

    def _answers(self, requests: Sequence[bytes]) -> Sequence[bytes]:
        try:
            return self._answer(requests)
        except Exception as error:  # noqa: BLE001 - logged; the clients read of it
            self._on_error(error)
            return [_FAILED] * len(requests)

    def _send(self, clients: "Sequence[_Client]", responses: Sequence[bytes]) -> None:
        for client, response in zip(clients, responses, strict=True):
            if client in self._clients:  # else it was closed meanwhile
                client.is_asking = False
                client.response = memoryview(response)
                if self._is_selected(client):
                    self._selector.unregister(client.sock)
                self._selector.register(client.sock, selectors.EVENT_WRITE, client)
                self._move_on(client)

    def _close_oldest(self) -> None:
        oldest = next((c for c in self._clients if not c.is_asking), None)
        if oldest is not None:
            self._close(oldest)

    def _close(self, client: "_Client") -> None:
        del self._clients[client]
        if self._is_selected(client):
            self._selector.unregister(client.sock)
        client.sock.close()

    def _is_selected(self, client: "_Client") -> bool:
        return client.sock in self._selector.get_map()


class _SlowAnswers:
    """Answers slow requests in a thread, one batch at a time.

    The file descriptor is readable when there is something to :meth:`take`, or when it
    :attr:`is_free` again.
    """

    def __init__(self, answers: Answer) -> None:
        self._answers = answers
        self._reader, self._writer = socket.socketpair()
        self._answered: deque[tuple[Sequence[_Client], Sequence[bytes]]] = deque()
        self.is_free = True

    def fileno(self) -> int:
        """Return the descriptor to select."""
        return self._reader.fileno()

    def begin(self, clients: "Sequence[_Client]") -> None:
        """Answer these clients' requests, while this is not free."""
        self.is_free = False
        try:
            start_thread(self._work, clients, name="jobqueue-scrape")
        except JobQueueError:
            self.is_free = True
            raise

    def take(self) -> "tuple[Sequence[_Client], Sequence[bytes]]":
        """Return the clients whose requests have been answered, and the responses."""
        self._reader.recv(1)
        return self._answered.popleft() if self._answered else ((), ())

    def _work(self, clients: "Sequence[_Client]") -> None:
        began = time.thread_time()
        responses = self._answers([client.request for client in clients])
        self._answered.append((clients, responses))
        self._writer.send(b"\0")
        time.sleep(_REST * (time.thread_time() - began))
        self.is_free = True
        self._writer.send(b"\0")


class _Client:
    """A connection: it is read from until its request is whole, and then written to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.deadline = time.monotonic() + CLIENT_TIMEOUT
        self.is_asking = False  # its request is whole, and has no response yet
        self.response: memoryview | None = None
        self._received = bytearray()
        sock.settimeout(0)

    @property
    def request(self) -> bytes:
        """The whole request."""
        return bytes(self._received)

    def is_late(self) -> bool:
        """Return whether the connection has lasted for too long."""
        return time.monotonic() >= self.deadline

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
