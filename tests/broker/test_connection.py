"""Traps of the protocol and of greenstalk, one by one."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobqueue import (
    BrokerError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    ConnectionLostError,
    OptionError,
    TubeNameError,
)
from jobqueue.broker.address import Address
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.settlement import DONE, Buried
from jobqueue.broker.stats_reply import parse_names
from tests.helpers.connections import FullConnection
from tests.helpers.cut_replies import COMMANDS, REPLIES, call, cut_replies_taken
from tests.helpers.fake_broker import SILENCE, FakeBroker, cut
from tests.helpers.paths import ROOT
from tests.helpers.servers import Beanstalkd, eventually, free_port


@pytest.fixture
def connection(broker: Beanstalkd) -> Iterator[FullConnection]:
    with FullConnection(Address.parse(broker.url)) as connection:
        yield connection


def watched(connection: FullConnection) -> list[str]:
    names = connection.ask(b"list-tubes-watched\r\n", connection.read_chunk)
    return sorted(parse_names(names or b""))


def reserve(connection: FullConnection, tube: str = "t") -> tuple[int, bytes]:
    connection.watch_only([tube])
    job = connection.reserve(0)
    assert job
    return job


@pytest.mark.parametrize("number", [-1, 2**32, True, 1.0, "1", None])
@pytest.mark.parametrize("name", ["priority", "delay", "ttr"])
def test_number_out_of_range(
    broker: Beanstalkd, connection: FullConnection, name: str, number: Any
) -> None:
    """It never reaches the broker."""
    victim = connection.put("t", b"victim", PutOptions())

    def put() -> None:
        connection.put("t", b"delete %d" % victim, PutOptions(**{name: number}))

    with pytest.raises(OptionError, match=rf"{name} has to be a whole number"):
        put()

    assert broker.counts("t") == {"ready": 1}
    connection.put("t", b"the connection is still in use", PutOptions())


def test_tube_with_a_line_break(broker: Beanstalkd, connection: FullConnection) -> None:
    """It never reaches the broker."""
    victim = connection.put("t", b"victim", PutOptions())

    with pytest.raises(TubeNameError):
        connection.put(f"t\r\ndelete {victim}", b"", PutOptions())
    with pytest.raises(TubeNameError):
        connection.watch_only([f"t\r\ndelete {victim}"])

    assert broker.counts("t") == {"ready": 1}


def test_largest_options(broker: Beanstalkd, connection: FullConnection) -> None:
    limit = 2**32 - 1

    job_id = connection.put("t", b"", PutOptions(limit, None, limit, limit))

    stats = broker.stats_job(job_id)
    assert (stats["pri"], stats["delay"], stats["ttr"]) == (limit, limit, limit)


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\xff\r\ndelete 1\r\n", b"x" * 65535])
def test_any_body(connection: FullConnection, body: bytes) -> None:
    connection.put("t", body, PutOptions())

    assert reserve(connection) == (1, body)


def test_watch_only(connection: FullConnection) -> None:
    connection.watch_only(["a", "b"])
    assert watched(connection) == ["a", "b"]
    connection.watch_only(["b", "default"])
    assert watched(connection) == ["b", "default"]


def test_many_tubes_in_one_write(socket_folder: Path) -> None:
    """A broker may be far away: no tube has a round trip of its own."""
    tubes = [f"t{n}" for n in range(400)]
    fake = FakeBroker(socket_folder / "s")
    with fake, FullConnection(Address.parse(fake.url)) as connection:
        connection.watch_only(tubes)
        connection.watch_only(tubes)  # there is nothing left to say

    watching = [b"watch %b\r\n" % tube.encode() for tube in sorted(tubes)]
    assert fake.writes == [b"".join([*watching, b"ignore default\r\n"])]


def test_settle_and_reserve_in_one_write(
    socket_folder: Path,
) -> None:
    fake = FakeBroker(socket_folder / "s")
    fake.on(COMMANDS["reserve"], b"RESERVED 1 1\r\na\r\n", b"RESERVED 2 1\r\nb\r\n")
    fake.on(b"delete", b"DELETED\r\n")
    with fake, FullConnection(Address.parse(fake.url)) as connection:
        job = connection.reserve(20)
        assert job == (1, b"a")
        assert connection.settle(1, DONE, reserve=20)
        assert connection.reserve(20) == (2, b"b")

    # Only now has the fake broker read all that was sent.
    assert fake.writes == [
        b"reserve-with-timeout 20\r\n",
        b"delete 1\r\nreserve-with-timeout 20\r\n",
    ]


def test_bury_keeps_the_priority(
    broker: Beanstalkd, connection: FullConnection
) -> None:
    connection.put("t", b"", PutOptions(priority=7))
    job_id, _ = reserve(connection)
    stats = connection.stats_job(job_id)
    assert stats

    connection.settle(job_id, Buried(stats.priority))

    after = broker.stats_job(job_id)
    assert (after["state"], after["pri"]) == ("buried", 7)


def test_settle_a_lost_job(
    connection: FullConnection,
) -> None:
    """Settling a job that is not reserved any more returns False."""
    connection.put("t", b"", PutOptions())
    job_id, _ = reserve(connection)
    assert connection.settle(job_id, DONE)

    assert not connection.settle(job_id, DONE)
    assert not connection.settle(job_id, Buried(0))
    assert connection.stats_job(job_id) is None
    connection.put("t", b"the connection is still in use", PutOptions())


NEGATIVE = b"""---
tube: t
pri: -1
delay: 0
ttr: 60
reserves: 1
releases: 0
buries: 0
kicks: 0
"""


@pytest.mark.parametrize("method", REPLIES)
def test_cut_reply(socket_folder: Path, method: str) -> None:
    """A reply that is cut at any byte is never taken for a whole one."""
    assert cut_replies_taken(socket_folder, method) == []


def test_cut_reply_under_python_o() -> None:
    script = """
import pathlib, tempfile
from tests.helpers.cut_replies import REPLIES, cut_replies_taken
with tempfile.TemporaryDirectory() as folder:
    for method in REPLIES:
        print(method, cut_replies_taken(pathlib.Path(folder), method))
"""
    done = subprocess.run(
        [sys.executable, "-O", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [f"{method} []" for method in REPLIES]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"BAD_FORMAT\r\n",
        b"UNKNOWN_COMMAND\r\n",
        b"INTERNAL_ERROR\r\n",
        b"EXPECTED_CRLF\r\n",
        b"NOT_IGNORED\r\n",
        b"INSERTED\r\n",
        b"INSERTED x\r\n",
        b"INSERTED 0\r\n",
        b"INSERTED -1\r\n",
        b"INSERTED 1_0\r\n",
        b"INSERTED 99999999999999999999\r\n",
        b"RESERVED 1\r\n",
        b"RESERVED 1 -3\r\n",
        b"RESERVED -1 1\r\na\r\n",
        b"RESERVED +1 1\r\na\r\n",
        b"RESERVED 1 0_1\r\na\r\n",
        b"RESERVED 99999999999999999999 1\r\na\r\n",
        b"RESERVED 1 99999999999999\r\n",
        b"RESERVED 1 2\r\nabcdef\r\n",
        b"\nINSERTED 1\r\n",
        b"\nRESERVED 1 1\r\na\r\n",
        b"OK 3\r\n\xff\xff\xff\r\n",
        b"OK %d\r\n%b\r\n" % (len(NEGATIVE), NEGATIVE),
        b"x" * 2000,
        b"\xff\xfe\r\n",
    ],
)
@pytest.mark.parametrize("method", REPLIES)
def test_nonsense(socket_folder: Path, method: str, garbage: bytes) -> None:
    """A reply that makes no sense closes the connection."""
    fake = FakeBroker(socket_folder / "s").on(COMMANDS[method], cut(garbage))
    with fake, FullConnection(Address.parse(fake.url)) as connection:
        with pytest.raises(ConnectionLostError):
            call(connection, method)
        assert not connection.is_open
        with pytest.raises(BrokerError):
            call(connection, method)


@pytest.mark.parametrize(
    ("command", "answer", "ask"),
    [
        (b"watch", b"WATCHING 2\r no reply\r\n", lambda c: c.watch_only(["t"])),
        (b"watch", b"WATCHING x\r\n", lambda c: c.watch_only(["t"])),
        (b"use", b"USING t\r no reply\r\n", lambda c: c.use("t")),
    ],
)
def test_nonsense_after_a_reply(
    socket_folder: Path,
    command: bytes,
    answer: bytes,
    ask: Callable[[FullConnection], object],
) -> None:
    """A line that only begins like the reply was not sent by beanstalkd."""
    fake = FakeBroker(socket_folder / "s").on(command, answer)
    with fake, FullConnection(Address.parse(fake.url)) as connection:
        with pytest.raises(ConnectionLostError):
            ask(connection)
        assert not connection.is_open


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("put", b"TIMED_OUT\r\n"),
        ("put", b"NOT_FOUND\r\n"),
        ("reserve", b"NOT_FOUND\r\n"),
        ("settle", b"TIMED_OUT\r\n"),
        ("stats_job", b"DRAINING\r\n"),
    ],
)
def test_reply_to_another_command(
    socket_folder: Path, method: str, answer: bytes
) -> None:
    """It closes the connection."""
    fake = FakeBroker(socket_folder / "s").on(COMMANDS[method], answer)
    with fake, FullConnection(Address.parse(fake.url)) as connection:
        with pytest.raises(ConnectionLostError, match="makes no sense"):
            call(connection, method)
        assert not connection.is_open


@pytest.mark.parametrize("answer", [b"INTERNAL_ERROR\r\n", b"OUT_OF_MEMORY\r\n"])
def test_settle_without_room(socket_folder: Path, answer: bytes) -> None:
    """The answer to a bury or a delayed release when the disk of the binlog is full."""
    fake = FakeBroker(socket_folder / "s").on(b"bury", answer)
    with (
        fake,
        FullConnection(Address.parse(fake.url)) as connection,
        pytest.raises(ConnectionLostError, match="has no room for its binlog"),
    ):
        connection.settle(1, Buried(0))


@pytest.mark.parametrize("method", REPLIES)
def test_silence(socket_folder: Path, method: str) -> None:
    """It ends at a deadline, and the connection is closed."""
    fake = FakeBroker(socket_folder / "s").on(COMMANDS[method], SILENCE)
    address = Address.parse(f"{fake.url}?timeout=0.1")
    with fake, FullConnection(address) as connection:
        with pytest.raises(BrokerTimeoutError):
            call(connection, method)
        assert not connection.is_open


@pytest.mark.parametrize("error", [KeyboardInterrupt, AttributeError, TypeError])
@pytest.mark.parametrize("method", REPLIES)
def test_ctrl_c_and_faults(
    socket_folder: Path,
    method: str,
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are raised as they are, and close the connection."""

    def fail(_extra: float = 0) -> bytes:
        raise error

    with (
        FakeBroker(socket_folder / "s") as fake,
        FullConnection(Address.parse(fake.url)) as connection,
    ):
        fake.on(COMMANDS[method], SILENCE)
        monkeypatch.setattr(connection._reader, "readline", fail)
        with pytest.raises(error):
            call(connection, method)
        assert not connection.is_open


def test_interrupt(broker: Beanstalkd, connection: FullConnection) -> None:
    """Another thread interrupts a reserve that waits."""
    connection.watch_only(["t"])
    errors: list[Exception] = []

    def wait() -> None:
        try:
            connection.reserve(20)
        except ConnectionLostError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: broker.waiting("t"), 1)
    connection.interrupt()
    thread.join(5)

    assert len(errors) == 1
    connection.interrupt()  # once more does no harm


@pytest.mark.parametrize(
    "url", ["beanstalkd://127.0.0.1:{port}", "unix:///nowhere/b.sock"]
)
def test_broker_away(url: str) -> None:
    """The error names it."""
    url = url.format(port=free_port())

    with pytest.raises(BrokerUnreachableError, match=re.escape(f"{url} can't be")):
        FullConnection(Address.parse(url))


def test_impossible_host() -> None:
    with pytest.raises(BrokerUnreachableError):
        FullConnection(Address.parse(f"beanstalkd://{'x' * 70}.example"))


def test_connect_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        target = server.getsockname()
        queued = [socket.socket() for _ in range(4)]
        for full in queued:
            full.setblocking(False)
            full.connect_ex(target)
        with pytest.raises(BrokerUnreachableError, match="timed out"):
            FullConnection(Address(target, timeout=0.1))
        for full in queued:
            full.close()


def test_tcp() -> None:
    with (
        Beanstalkd(free_port()) as broker,
        FullConnection(Address.parse(broker.url)) as connection,
    ):
        assert connection.put("t", b"", PutOptions()) == 1
        sock = connection._socket
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("ask", ["jobs", "bodies", "kick_jobs", "delete_jobs"])
def test_wrong_id_among_many(connection: FullConnection, ask: str) -> None:
    """All ids are checked before a byte is sent, so that no reply is left over."""
    job_id = connection.put("t", b"body", PutOptions())
    many = [job_id + 1] * 700

    with pytest.raises(OptionError, match="a job's id"):
        list(getattr(connection, ask)([*many, 0]))

    assert list(connection.bodies([job_id])) == [b"body"]
