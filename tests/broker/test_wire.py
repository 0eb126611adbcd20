"""Waits that end at a deadline, and sockets that are the system's own."""

import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from jobqueue import BrokerTimeoutError, ConnectionLostError
from jobqueue.broker import wire
from jobqueue.broker.address import Address
from jobqueue.broker.dropped_body import DroppedBody
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.settlement import DONE
from jobqueue.broker.stats import JobState
from jobqueue.broker.wire import BrokerSocket
from tests.helpers.connections import FullConnection
from tests.helpers.fake_broker import SILENCE, FakeBroker
from tests.helpers.paths import ROOT
from tests.helpers.servers import DEADLINE, Beanstalkd

LARGE = b"x" * 2**24  # more than the buffers of a socket take
A_LOT = 2000  # pieces: far more than a time-out has room for


class Refusing(socket.socket):
    """What another library may put in place of `socket.socket`."""

    def __init__(self, *_: Any, **_options: Any) -> None:
        raise AssertionError("no socket of this class may be made")


def put(connection: FullConnection, body: bytes = b"") -> int:
    return connection.put("default", body, PutOptions())


@pytest.mark.parametrize("call", [put, lambda c: c.watch_only(["t"])])
def test_replaced_class(
    broker: Beanstalkd,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[FullConnection], object],
) -> None:
    """Connections work when `socket.socket` is another class by now."""
    monkeypatch.setattr(socket, "socket", Refusing)
    monkeypatch.setattr(socket, "SocketType", Refusing)
    monkeypatch.setattr(socket, "create_connection", Refusing)

    with FullConnection(Address.parse(broker.url)) as connection:
        call(connection)


def test_replaced_class_over_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(socket, "socket", Refusing)
        monkeypatch.setattr(socket, "create_connection", Refusing)
        for host in ("127.0.0.1", "localhost"):
            FullConnection(Address((host, server.getsockname()[1]))).close()


@pytest.mark.parametrize("is_late", [False, True])
def test_replaced_poll(
    socket_folder: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """Waits go through what gevent replaces, so that other greenlets can run."""
    polls = []

    class Cooperative:
        def __init__(self) -> None:
            self._poll = select_poll()
            self.register = self._poll.register

        def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
            polls.append(timeout)
            return self._poll.poll(timeout)

    select_poll = select.poll
    fake = FakeBroker(socket_folder / "s").on(b"put", SILENCE)
    address = Address(fake.url.removeprefix("unix://"), timeout=0.1)
    if not is_late:
        monkeypatch.setattr(select, "poll", Cooperative)
    with fake, FullConnection(address) as connection:
        monkeypatch.setattr(select, "poll", Cooperative)
        with pytest.raises(BrokerTimeoutError):
            put(connection)
    assert polls


def test_no_poll(broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> None:
    """eventlet removes it, and Windows has none."""
    monkeypatch.delattr(select, "poll")

    with FullConnection(Address.parse(broker.url)) as connection:
        assert put(connection) == 1
        assert connection.reserve(0) == (1, b"")


class TricklingBroker:
    """Sends a beginning, and then byte after byte; or reads byte after byte."""

    def __init__(self, path: Path, beginning: bytes, *, answers: bool = True) -> None:
        self.address = Address(str(path), timeout=0.2)
        self._beginning = beginning
        self._answers = answers
        self._over = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._trickle)
        self._thread.start()

    def _trickle(self) -> None:
        connection, _ = self._server.accept()
        with connection, suppress(OSError):
            connection.sendall(self._beginning)
            for _ in range(A_LOT):
                if self._over.wait(0.01):
                    return
                if self._answers:
                    connection.sendall(b"x")
                else:
                    connection.recv(1)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._server.close()


@pytest.mark.parametrize(
    ("beginning", "call"),
    [
        (b"", put),
        (b"", lambda c: c.reserve(0)),
        (b"", lambda c: c.put_many("t", [b""] * 3, PutOptions())),
        (b"USING t\r\n", lambda c: c.put_many("t", [b""] * 3, PutOptions())),
        (b"OK 100000\r\n", lambda c: c.stats_job(1)),
        (b"OK 100000\r\n", lambda c: list(c.jobs([1, 2]))),
        (b"RESERVED 1 100000\r\n", lambda c: c.reserve(0)),
        (b"RESERVED 1 1", lambda c: c.reserve(3600)),  # a job may be long in coming
    ],
)
def test_trickle(
    socket_folder: Path, beginning: bytes, call: Callable[[FullConnection], object]
) -> None:
    """A reply that comes byte after byte has the same deadline as any other."""
    broker = TricklingBroker(socket_folder / "s", beginning)
    with closing(broker), FullConnection(broker.address) as connection:
        with pytest.raises(Exception, match=r"in time, within 0\.2 s"):
            call(connection)
        assert not connection.is_open


@pytest.mark.parametrize(
    "call",
    [
        lambda c: put(c, LARGE),
        lambda c: c.put_many("default", [LARGE], PutOptions()),
    ],
)
def test_slow_reader(
    socket_folder: Path, call: Callable[[FullConnection], object]
) -> None:
    """A broker that takes a body byte after byte does not hold a put up for longer."""
    broker = TricklingBroker(socket_folder / "s", b"USING t\r\n", answers=False)
    with (
        closing(broker),
        FullConnection(broker.address) as connection,
        pytest.raises(Exception, match="did not answer in time"),
    ):
        call(connection)


@pytest.fixture
def alarms() -> Iterator[list[int]]:
    """Have the system send a signal every 20 ms, for some seconds at most."""
    seen: list[int] = []

    def on_alarm(signum: int, _frame: FrameType | None) -> None:
        seen.append(signum)
        if len(seen) > DEADLINE / 0.02:  # else a test that fails would not end
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    yield seen
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("command", "call"), [(b"put", put), (b"delete", lambda c: c.settle(1, DONE))]
)
def test_signals(
    socket_folder: Path,
    alarms: list[int],
    command: bytes,
    call: Callable[[FullConnection], object],
) -> None:
    """A signal does not make a wait begin anew."""
    fake = FakeBroker(socket_folder / "s").on(command, SILENCE)
    address = Address(fake.url.removeprefix("unix://"), timeout=0.2)
    with (
        fake,
        FullConnection(address) as connection,
        pytest.raises(BrokerTimeoutError),
    ):
        call(connection)
    assert 0 < len(alarms) < DEADLINE / 0.02


def test_large_bodies(socket_folder: Path) -> None:
    """They go through whole in both directions, where no buffer holds them."""
    with (
        Beanstalkd(socket_folder / "b", "-z", str(len(LARGE))) as broker,
        FullConnection(Address.parse(broker.url)) as connection,
    ):
        assert put(connection, LARGE) == 1
        assert connection.reserve(0) == (1, LARGE)


def test_end_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noticed at its first sign: the system goes on saying so without end."""
    signs = [b""]
    near, far = socket.socketpair()
    with far, closing(BrokerSocket(near.family, 10, near.detach())) as sock:
        monkeypatch.setattr(sock.reader, "_recv", lambda _: signs.pop())
        with pytest.raises(ConnectionError, match="it was closed"):
            sock.reader.readline()


def test_large_body_over_a_slow_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each MiB of a body has the whole time-out."""
    size = 2**22
    receive = BrokerSocket.receive
    now = 0.0
    left: list[float] = []

    def receive_slowly(sock: BrokerSocket, size: int, extra: float = 0) -> bytes:
        nonlocal now
        left.append(sock.seconds_left(extra))
        part = receive(sock, size, extra)
        now += 4 * len(part) / 2**20
        return part

    monkeypatch.setattr(BrokerSocket, "receive", receive_slowly)
    near, far = socket.socketpair()
    with far, closing(BrokerSocket(near.family, 10, near.detach())) as sock:
        sock.connected()
        monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: now))
        sending = threading.Thread(target=far.sendall, args=(LARGE[:size] + b"\r\n",))
        sending.start()
        assert sock.reader.body(size) == LARGE[:size]
        sending.join()

    assert now >= 16
    assert min(left) > 0


SIGPIPE = """
import signal, socket, sys
from jobqueue import BrokerError
from jobqueue.broker.address import Address
from jobqueue.broker.put_options import PutOptions
from tests.helpers.connections import FullConnection
from tests.helpers.cut_replies import CALLS

CALLS["put_many"] = lambda c: c.put_many("t", [b""] * 3, PutOptions())
CALLS["touch"] = lambda c: c.touch(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
for method, call in CALLS.items():
    with FullConnection(Address(sys.argv[1])) as connection:
        server.accept()[0].close()
        try:
            call(connection)
        except BrokerError:
            print(method)
print(len(CALLS), "calls")
"""


def test_sigpipe(socket_folder: Path) -> None:
    """A send to a broker that is gone ends no process, whatever SIGPIPE does there."""
    done = subprocess.run(
        [sys.executable, "-c", SIGPIPE, str(socket_folder / "s")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    *methods, count = done.stdout.splitlines()
    assert count == f"{len(methods)} calls"


def test_given_up_by_the_system(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection whose other machine is gone is lost; the broker is not silent."""

    def give_up() -> bytes:
        raise TimeoutError(110, "Connection timed out")

    with FullConnection(Address.parse(broker.url)) as connection:
        monkeypatch.setattr(connection._reader, "readline", give_up)
        with pytest.raises(ConnectionLostError, match="Connection timed out"):
            put(connection)


def out_of_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Have no memory for more bytes in one piece than these."""
    receive = BrokerSocket.receive

    def receive_or_fail(sock: BrokerSocket, size: int, extra: float = 0) -> bytes:
        if size > most:
            raise MemoryError
        return receive(sock, size, extra)

    monkeypatch.setattr(BrokerSocket, "receive", receive_or_fail)


def test_body_that_memory_does_not_hold(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped, and the next replies are in step."""
    body = b"x" * 60_000
    with FullConnection(Address.parse(broker.url)) as connection:
        job_id = put(connection, body)
        out_of_memory(monkeypatch, 2**14)
        reserved = connection.reserve(0)
        assert reserved == (job_id, b"")
        assert isinstance(reserved[1], DroppedBody)
        assert reserved[1].size == len(body)
        stats = connection.stats_job(job_id)
        assert stats is not None
        assert stats.id == job_id


def test_no_memory_is_not_called_the_brokers(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a body that a person is to see, or to save, taken for an empty one."""
    with FullConnection(Address.parse(broker.url)) as connection:
        job_id = put(connection, b"x" * 60_000)
        out_of_memory(monkeypatch, 2**14)
        with pytest.raises(ConnectionLostError, match="this process has no memory"):
            list(connection.bodies([job_id]))
        assert not connection.is_open


def test_bodies_that_nobody_needs_are_not_held(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FullConnection(Address.parse(broker.url)) as connection:
        job_id = put(connection, b"x" * 60_000)
        out_of_memory(monkeypatch, 2**14)
        assert connection.first("default", JobState.READY) == job_id
        assert connection.bury(job_id, 7)
        assert connection.first("default", JobState.BURIED) == job_id
