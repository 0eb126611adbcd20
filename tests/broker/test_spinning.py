"""Replies are waited for without sleeping where that is sooner, and nowhere else."""

import asyncio
import os
import select
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from jobqueue import JobQueue, Worker
from jobqueue.broker import spinning
from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.producing import ProducerConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.spinning import Spin
from jobqueue.broker.wire import BrokerSocket
from tests.helpers.servers import Beanstalkd

pytestmark = pytest.mark.skipif(
    not Spin.is_worthwhile(), reason="there is one core, or no way to give way"
)


class Looks:
    """What a spin looks at: `nothing` so often, and then a reply."""

    def __init__(self, nothing: int) -> None:
        self.count = 0
        self._nothing = nothing

    def __call__(self) -> bytes:
        self.count += 1
        if self.count <= self._nothing:
            raise BlockingIOError
        return b"reply"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no busy machine make a spin fail."""
    monkeypatch.setattr(spinning, "_LONGEST", 20.0)


@pytest.fixture
def spins(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Spin]]:
    """Return the spins that are tried."""
    tried: list[Spin] = []
    receive = Spin.receive

    def noting(spin: Spin) -> bytes:
        tried.append(spin)
        return receive(spin)

    monkeypatch.setattr(Spin, "receive", noting)
    return iter([tried])


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("nothing", [2, 50])
def test_reply_from_another_core(nothing: int) -> None:
    looks = Looks(nothing)
    spin = Spin(looks)

    for _ in range(9):
        looks.count = 0
        assert spin.receive() == b"reply"
        assert looks.count == nothing + 1
    assert spin.skips == 0


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("nothing", [0, 1])
def test_broker_on_the_same_core(nothing: int) -> None:
    """It answers while this thread gives way: a sleep is cheaper, and no longer."""
    looks = Looks(nothing)
    spin = Spin(looks)

    for _ in range(9):
        looks.count = 0
        assert spin.receive() == b"reply"
    assert spin.skips > 20


def test_broker_far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spin in vain is tried more and more rarely, and begins anew with a success."""
    monkeypatch.setattr(spinning, "_LONGEST", 0.0)
    looks = Looks(20)
    spin = Spin(looks)

    assert [spin.receive() for _ in range(9)] == [b""] * 9
    assert spin.skips > 20
    monkeypatch.setattr(spinning, "_LONGEST", 20.0)
    assert spin.receive() == b"reply"
    monkeypatch.setattr(spinning, "_LONGEST", 0.0)
    looks.count = spin.skips = 0
    assert spin.receive() == b""
    assert spin.skips == 0


@pytest.mark.usefixtures("patient")
def test_not_in_an_event_loop() -> None:
    looks = Looks(0)
    spin = Spin(looks)

    async def receive() -> bytes:
        return spin.receive()

    assert asyncio.run(receive()) == b""
    assert looks.count == 0


def test_not_on_one_core(broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})

    with ProducerConnection(Address.parse(broker.url)) as connection:
        assert connection._socket.spin is None
        assert connection.put("t", b"{}", PutOptions()) > 0


def test_not_under_gevent(broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hub has to run meanwhile: it has replaced what waits."""
    poll = select.poll
    monkeypatch.setattr(select, "poll", lambda: poll())  # noqa: PLW0108 - no builtin

    with ProducerConnection(Address.parse(broker.url)) as connection:
        assert connection._socket.spin is None
        assert connection.put("t", b"{}", PutOptions()) > 0


def test_replies_in_pieces() -> None:
    """What a spin receives is the beginning of what is read."""
    ours, theirs = socket.socketpair()
    sock = BrokerSocket(ours.family, 20, ours.detach())
    with closing(sock), theirs:
        sock.reader.keep(b"USING t\r\nINSER")
        theirs.sendall(b"TED 7\r\n")
        sock.reader.keep(b"")
        assert sock.reader.readline() == b"USING t\r\n"
        assert sock.reader.readline() == b"INSERTED 7\r\n"


def test_sleeps_between_attempts(
    broker: Beanstalkd, spins: Iterator[list[Spin]]
) -> None:
    (tried,) = spins
    with ProducerConnection(Address.parse(broker.url)) as connection:
        spin = connection._socket.spin
        assert spin is not None
        spin.skips = 3
        for _ in range(3):
            connection.put("t", b"{}", PutOptions())
        assert (spin.skips, tried) == (0, [])


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("threads", "does_spin"), [(1, True), (2, False)])
def test_worker(
    broker: Beanstalkd, spins: Iterator[list[Spin]], threads: int, does_spin: bool
) -> None:
    """A lone slot spins when it settles; several slots leave each other the process."""
    queue = JobQueue(broker.url)
    queue.task("t")(work)
    queue.task("t")(work).put_many({} for _ in range(9))
    (tried,) = spins

    Worker(["t"], threads=threads, burst=True, failures_kept=0).run()

    assert broker.counts("t") == {}
    assert bool(tried) is does_spin


def work() -> None: ...


def test_no_spin_for_a_job_to_come(
    broker: Beanstalkd, spins: Iterator[list[Spin]]
) -> None:
    """What waits for work sleeps."""
    (tried,) = spins
    with ConsumerConnection(Address.parse(broker.url), is_lone=True) as connection:
        assert connection.reserve(0) is None

    assert tried == []
