"""Making a connection: its deadline, and errors that say what to look at."""

import errno
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from jobqueue import BrokerUnreachableError, ConnectionLostError
from jobqueue.broker.address import Address
from jobqueue.broker.connecting import connect
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.reasons import advice_for
from tests.helpers.connections import FullConnection
from tests.helpers.fake_broker import FakeBroker, cut
from tests.helpers.servers import Beanstalkd, free_port

HOST = Address(("queue.example", 11300), timeout=0.2)


@pytest.fixture
def full_server() -> Iterator[tuple[str, int]]:
    """Return the address of a server that does not answer: its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(server.getsockname())
        yield server.getsockname()


def answer_look_ups(
    monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]
) -> None:
    def look_up(_host: bytes, _port: int, **options: Any) -> list[Any]:
        if options["flags"]:
            raise socket.gaierror(socket.EAI_NONAME, "no numbers")
        stream = socket.AF_INET, socket.SOCK_STREAM, 0, ""
        return [(*stream, address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_several_addresses(
    full_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not answer leaves the others time; one that refuses, all of it."""
    refusing = ("127.0.0.1", free_port())
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer_look_ups(monkeypatch, full_server, refusing, server.getsockname())

        with closing(connect(HOST)) as sock:
            assert sock.getpeername() == server.getsockname()


def test_no_address_answers(
    full_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_look_ups(monkeypatch, *[full_server] * 50)

    with pytest.raises(BrokerUnreachableError, match=r"timed out.*firewall"):
        FullConnection(HOST)


def test_slow_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer can't hold a put up for longer."""
    is_over = threading.Event()

    def look_up(*_: object, **options: Any) -> list[Any]:
        if not options["flags"]:
            is_over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    with pytest.raises(BrokerUnreachableError, match="looking its host name up"):
        FullConnection(HOST)
    is_over.set()


def test_look_up_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a process, no thread can be started; a put works."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer_look_ups(monkeypatch, server.getsockname())
        connect(HOST).close()


def test_full_queue_of_a_unix_socket(socket_folder: Path) -> None:
    path = str(socket_folder / "s")
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(path)
        server.listen(0)
        queued = stack.enter_context(socket.socket(socket.AF_UNIX))
        queued.connect(path)

        with pytest.raises(BrokerUnreachableError, match=r"queue .* is full.*frozen"):
            FullConnection(Address(path, timeout=0.1))

        timer = threading.Timer(0.05, lambda: stack.enter_context(server.accept()[0]))
        timer.start()
        connect(Address(path)).close()  # it waits until there is room
        timer.join()


ERRORS: list[tuple[Exception, str]] = [
    (socket.gaierror(socket.EAI_NONAME, "Name not known"), "no such host: check .*URL"),
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "name server"),
    (OSError(errno.ECONNREFUSED, ""), "is it running there?"),
    (OSError(errno.ENETUNREACH, ""), "no way to that machine: check the network"),
    (OSError(errno.EHOSTUNREACH, ""), "no way to that machine: check the network"),
    (OSError(errno.EPERM, ""), "firewall"),
    (OSError(errno.EACCES, ""), "firewall"),
    (OSError(errno.EMFILE, ""), "ulimit -n"),
    (OSError(errno.EAFNOSUPPORT, ""), "no addresses of that kind"),
    (TimeoutError(), "The machine may be off"),
    (UnicodeError("label too long"), "can't be a host"),
]


@pytest.mark.parametrize(("error", "advice"), ERRORS)
def test_advice(error: Exception, advice: str) -> None:
    """Whether it runs is asked only where that is the question."""
    found = advice_for(HOST, error)

    assert re.search(advice, found)
    assert ("running" in found) is (advice == "is it running there?")


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("missing", "No such file or directory.*no such socket: is it running"),
        ("file", "that file is no socket"),
        ("file/s", "Not a directory.*no such socket"),
        ("datagrams", "a socket of another kind"),
        ("x" * 200, "too long.*can't be a path"),
        ("left", "refused.*is it running there"),
    ],
)
def test_socket_file(socket_folder: Path, path: str, advice: str) -> None:
    (socket_folder / "file").touch()
    for name, kind in (("datagrams", socket.SOCK_DGRAM), ("left", socket.SOCK_STREAM)):
        with socket.socket(socket.AF_UNIX, kind) as sock:
            sock.bind(str(socket_folder / name))
            if name == "datagrams":
                keep = sock.dup()

    with keep, pytest.raises(BrokerUnreachableError, match=advice):
        FullConnection(Address(str(socket_folder / path)))


def test_socket_of_another_user(socket_folder: Path) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied")

    advice = advice_for(Address(str(socket_folder / "s")), denied)

    assert "permissions of the file, and of the folders above it" in advice
    assert "running" not in advice


@pytest.mark.parametrize(
    ("answer", "server"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "an HTTP server"),
        (b"<!DOCTYPE HTML>\n<html>", "an HTTP server"),
        (b"-ERR unknown command 'use'\r\n", "a Redis server"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH server"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "a server that speaks TLS"),
        (b"ERROR\r\n", "a memcached server"),
        (b"220 mx.example ESMTP\r\n", "a mail or FTP server"),
        (b"AMQP\x00\x00\x09\x01", "an AMQP server"),
        (b"hello\r\n", r"makes no sense here, 'hello'\. If that is no beanstalkd, che"),
        (b"", "closed before any reply came.*check the broker's URL"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.put("default", b"", PutOptions()),  # as a producer does
        lambda c: c.watch_only(["t"]),  # as a worker does
    ],
)
def test_no_beanstalkd(
    socket_folder: Path,
    call: Callable[[FullConnection], object],
    answer: bytes,
    server: str,
) -> None:
    """A port of something else is named as that."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"put", cut(answer)).on(b"watch", cut(answer))
    with (
        fake,
        FullConnection(Address.parse(fake.url)) as connection,
        pytest.raises(ConnectionLostError, match=f"(?s){server}"),
    ):
        call(connection)


def test_lost_later(broker: Beanstalkd) -> None:
    """A broker that has answered before is one."""
    with FullConnection(Address.parse(broker.url)) as connection:
        connection.put("default", b"", PutOptions())
        broker.kill()
        with pytest.raises(ConnectionLostError) as caught:
            connection.put("default", b"", PutOptions())

    assert "URL" not in str(caught.value)
