"""The port for scrapes, and clients that misuse it."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from jobqueue.errors import JobQueueError
from jobqueue.worker.reporting import request_server
from jobqueue.worker.reporting.request_server import MAX_CLIENTS, RequestServer
from tests.helpers.refused_threads import refusing_threads
from tests.helpers.servers import DEADLINE, eventually, eventually_true

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\n\r\n"


class Port:
    """A server in a thread, whose response to a request is the request."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.errors: list[Exception] = []
        self.batches: list[int] = []  # how many requests each had
        self.answer: Callable[[Sequence[bytes]], Sequence[bytes]] = list
        self._server = RequestServer(
            *(self.listening, self._answer, self.errors.append), SLOW.__eq__
        )
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def clients(self) -> int:
        return len(self._server._clients)

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.create_connection(
            self.listening.getsockname(), timeout=DEADLINE
        )
        client.sendall(data)
        return client

    def ask(self, data: bytes = REQUEST) -> bytes:
        with self.connect(data) as client:
            return read_all(client)

    def close(self) -> None:
        self._is_stopping = True
        self.connect().close()
        self._thread.join()
        while self.clients:
            self._server._close_oldest()
        self._server._selector.close()
        if self._server._slow is not None:
            for thread in threading.enumerate():
                if thread.name == "jobqueue-scrape":  # it rests after its answers
                    thread.join(DEADLINE)
            self._server._slow._reader.close()
            self._server._slow._writer.close()
        self.listening.close()

    def _run(self) -> None:
        while not self._is_stopping:
            self._server.serve_once()

    def _answer(self, requests: Sequence[bytes]) -> Sequence[bytes]:
        self.batches.append(len(requests))
        return self.answer(requests)


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the connection is closed."""
    received = b""
    try:
        while data := client.recv(2**16):
            received += data
    except ConnectionError:
        pass
    return received


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.close()


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("start", [b"", b"G", REQUEST[:-1]], ids=["", "G", "nearly"])
def test_answered_though_others_hold_connections(
    port: Port, clients: ExitStack, start: bytes
) -> None:
    for _ in range(3 * MAX_CLIENTS):
        clients.enter_context(port.connect(start))

    assert port.ask() == REQUEST
    assert port.clients <= MAX_CLIENTS


def test_request_in_pieces(port: Port) -> None:
    with port.connect() as client:
        for byte in REQUEST:
            client.sendall(bytes([byte]))
        assert read_all(client) == REQUEST


def test_request_that_is_too_long(port: Port) -> None:
    data = b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2**14
    assert port.ask(data) == b""
    assert port.batches == []


def test_request_that_does_not_end(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending some more bytes does not put the end of the connection off."""
    monkeypatch.setattr(request_server, "CLIENT_TIMEOUT", 0.2)
    with port.connect(b"GET / HTTP/1.1\r\n") as client:

        def is_closed() -> bool:
            try:
                client.sendall(b"x")
            except ConnectionError:
                return True
            return False

        eventually_true(is_closed)
    assert port.ask() == REQUEST


def test_client_that_does_not_read(
    port: Port, clients: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its response is dropped at its deadline; meanwhile others are answered."""
    size = 2**24
    port.answer = lambda requests: [bytes(size) for _ in requests]
    with monkeypatch.context() as patch:
        patch.setattr(request_server, "CLIENT_TIMEOUT", 0.2)
        clients.enter_context(port.connect(REQUEST))
        eventually_true(lambda: port.batches)

    assert len(port.ask()) == size
    eventually_true(lambda: not port.clients)


def test_requests_that_wait_are_answered_together(
    port: Port, clients: ExitStack
) -> None:
    """So a broker that is silent costs them its time-out once."""
    go_on = threading.Event()

    def answer(requests: Sequence[bytes]) -> Sequence[bytes]:
        go_on.wait(DEADLINE)
        return requests

    port.answer = answer
    asking = [clients.enter_context(port.connect(REQUEST))]
    eventually_true(lambda: port.batches)
    asking += [clients.enter_context(port.connect(REQUEST)) for _ in range(5)]
    go_on.set()

    assert [read_all(client) for client in asking] == [REQUEST] * 6
    assert port.batches == [1, 5]


def test_slow_requests_hold_up_no_others(port: Port, clients: ExitStack) -> None:
    """They are answered one batch after the other, whatever their clients do."""
    go_on = threading.Event()

    def answer(requests: Sequence[bytes]) -> Sequence[bytes]:
        if SLOW in requests:
            go_on.wait(DEADLINE)
        return requests

    port.answer = answer
    asking = [clients.enter_context(port.connect(SLOW))]
    eventually(lambda: port.batches, [1])
    asking += [clients.enter_context(port.connect(SLOW)) for _ in range(3)]
    port.connect(SLOW).close()
    asking[0].sendall(b"more, and no end of it")
    asking[1].shutdown(socket.SHUT_WR)

    assert port.ask() == REQUEST
    assert port.batches == [1, 1]
    go_on.set()
    assert [read_all(client) for client in asking] == [SLOW] * 4
    assert port.batches == [1, 1, 4]
    eventually_true(lambda: not port.clients)
    assert port.errors == []


def test_slow_request_is_given_up(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client is closed at its deadline, and nobody misses the answer."""
    go_on = threading.Event()
    port.answer = lambda requests: list(requests) if go_on.wait(DEADLINE) else []
    with monkeypatch.context() as patch:
        patch.setattr(request_server, "CLIENT_TIMEOUT", 0.2)
        assert port.ask(SLOW) == b""
    go_on.set()

    assert port.ask(SLOW) == SLOW
    assert port.errors == []


def test_no_thread_for_slow_requests(port: Port) -> None:
    with refusing_threads("jobqueue-scrape"):
        assert port.ask(SLOW).startswith(b"HTTP/1.0 500 ")

    assert [type(error) for error in port.errors] == [JobQueueError]
    assert port.ask(SLOW) == SLOW


def test_answer_fails(port: Port) -> None:
    error = ZeroDivisionError("the answer's own")

    def fail(_: Sequence[bytes]) -> Sequence[bytes]:
        raise error

    port.answer = fail
    assert port.ask().startswith(b"HTTP/1.0 500 ")
    assert port.errors == [error]
    port.answer = list
    assert port.ask() == REQUEST


def test_client_that_goes_away(port: Port) -> None:
    for data in (b"", b"G", REQUEST):
        port.connect(data).close()

    assert port.ask() == REQUEST
    eventually_true(lambda: not port.clients)
    assert port.errors == []


def test_no_file_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server pauses, instead of trying without end, and makes room."""
    pauses: list[float] = []
    accepted: list[object] = []
    accept = socket.socket.accept

    def accept_or_fail(listening: socket.socket) -> tuple[socket.socket, object]:
        if not pauses:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        accepted.append(listening)
        return accept(listening)

    monkeypatch.setattr(socket.socket, "accept", accept_or_fail)
    monkeypatch.setattr(request_server, "PAUSE", 0.01)
    monkeypatch.setattr("time.sleep", pauses.append)
    port = Port()
    try:
        assert port.ask() == REQUEST
    finally:
        port.close()
    assert [error.strerror for error in port.errors if isinstance(error, OSError)] == [
        os.strerror(errno.EMFILE)
    ]
    assert pauses[0] == 0.01


def test_work_is_followed_by_a_rest(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that asks without a pause takes a part of a core only."""
    rests: list[float] = []
    spent = iter(range(1_000_000))
    monkeypatch.setattr("time.thread_time", lambda: float(next(spent)))
    monkeypatch.setattr("time.sleep", rests.append)

    for _ in range(3):
        assert port.ask() == REQUEST

    assert set(rests[1:]) == {3.0}


def test_client_for_which_there_is_no_room(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed, and the next one is served."""
    monkeypatch.setattr(request_server, "PAUSE", 0)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(port._server._selector, "register", refuse)
        assert port.ask() == b""
    eventually(lambda: [type(error) for error in port.errors], [OSError])
    assert port.clients == 0
    assert port.ask() == REQUEST
