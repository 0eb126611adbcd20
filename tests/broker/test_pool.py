"""Connections that stay open between puts."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobqueue import BrokerTimeoutError, ConnectionLostError
from jobqueue.broker import idle_connections
from jobqueue.broker.address import Address
from jobqueue.broker.pool import ConnectionPool
from jobqueue.broker.producing import ProducerConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.wire import ReplyReader
from tests.helpers.fake_broker import HANG_UP, SILENCE, Answer, FakeBroker
from tests.helpers.servers import Beanstalkd, eventually

INSERTED = b"INSERTED 1\r\n"


def puts(fake: FakeBroker) -> int:
    return sum(command.startswith(b"put ") for command in fake.received)


@pytest.mark.parametrize("before", [0, 1], ids=["new", "idle"])
def test_put_that_is_not_answered(socket_folder: Path, before: int) -> None:
    """It is not sent again: the broker may have it, and may only be slow."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"put", *[INSERTED] * before, SILENCE)
    pool = ConnectionPool(f"{fake.url}?timeout=0.1")
    with fake:
        for _ in range(before):
            pool.put("t", b"", PutOptions())
        with pytest.raises(BrokerTimeoutError):
            pool.put("t", b"", PutOptions())
        pool.close()

    assert puts(fake) == before + 1


def test_idle_connection_that_is_dead(socket_folder: Path) -> None:
    """Only then is a put sent once more, over a new connection."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"put", Answer(INSERTED, hangs_up=True), INSERTED)
    pool = ConnectionPool(fake.url)
    with fake:
        for _ in range(2):
            assert pool.put("t", b"", PutOptions()) == 1
        pool.close()

    assert puts(fake) == 2


def test_new_connection_that_dies(socket_folder: Path) -> None:
    """The put fails: it was on a connection that the broker had just accepted."""
    fake = FakeBroker(socket_folder / "s").on(b"put", HANG_UP)
    pool = ConnectionPool(fake.url)
    with fake, pytest.raises(ConnectionError):
        pool.put("t", b"", PutOptions())

    assert puts(fake) == 1


def test_connection_that_is_closed_after_a_put(socket_folder: Path) -> None:
    """It is not kept: the next put makes another, and is sent once."""
    fake = FakeBroker(socket_folder / "s").on(b"put", b"nonsense\r\n", INSERTED)
    pool = ConnectionPool(fake.url)
    with fake, closing(pool):
        with pytest.raises(ConnectionLostError):
            pool.put("t", b"", PutOptions())
        assert len(pool._idle) == 0


def test_close_during_a_put(socket_folder: Path) -> None:
    """A connection that was in use meanwhile is closed when it is idle."""
    fake = FakeBroker(socket_folder / "s").on(b"put", INSERTED)
    pool = ConnectionPool(fake.url)

    def bodies() -> Iterator[bytes]:
        pool.close()
        yield b""

    with fake, closing(pool):
        assert pool.put_many("t", bodies(), PutOptions()) == [1]
        assert len(pool._idle) == 0


def test_many_on_a_dead_connection(socket_folder: Path) -> None:
    """A round trip finds that out before the first job is sent."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"put", Answer(INSERTED, hangs_up=True), b"INSERTED 2\r\n")
    pool = ConnectionPool(fake.url)
    with fake:
        pool.put("t", b"", PutOptions())
        assert pool.put_many("t", iter([b""]), PutOptions()) == [2]
        pool.close()

    assert puts(fake) == 2


USING = Answer(b"USING t\r\n")


def commands(fake: FakeBroker) -> list[bytes]:
    return [command.split()[0] for command in fake.received]


def use_at_the_same_time(pool: ConnectionPool, count: int) -> None:
    """Do with the connections of a pool what a burst of puts does."""
    address = Address.find(pool._url)
    taken = [pool._idle.take() or ProducerConnection(address) for _ in range(count)]
    for connection in taken:
        pool._idle.give_back(connection, pool._idle.generation)


def test_connections_of_a_burst(broker: Beanstalkd) -> None:
    """Puts close those that they do not need, but for a few."""
    with closing(ConnectionPool(broker.url)) as pool:
        use_at_the_same_time(pool, 30)
        for _ in range(250):
            pool.put("t", b"", PutOptions())

        eventually(broker.connections, 5)


def test_burst_before_a_quiet_day(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few puts in a long time are enough."""
    monkeypatch.setattr(idle_connections, "_SPARE_SECONDS", 0)
    with closing(ConnectionPool(broker.url)) as pool:
        use_at_the_same_time(pool, 30)
        for _ in range(2):
            pool.put("t", b"", PutOptions())

        eventually(broker.connections, 5)


def test_connections_that_are_needed_again(broker: Beanstalkd) -> None:
    """Bursts that come again, with single puts in between, keep theirs."""
    with closing(ConnectionPool(broker.url)) as pool:
        for _ in range(3):
            use_at_the_same_time(pool, 20)
            kept = len(pool._idle)
            for _ in range(100):
                pool.put("t", b"", PutOptions())
            assert len(pool._idle) == kept


def test_as_many_as_were_needed_at_once(broker: Beanstalkd) -> None:
    """What counts is how many were in use at the same time, not how many are now."""
    with closing(ConnectionPool(broker.url)) as pool:
        use_at_the_same_time(pool, 30)
        use_at_the_same_time(pool, 20)
        for _ in range(190):
            pool.put("t", b"", PutOptions())

        assert len(pool._idle) == 20 + 4


def test_idle_connection_is_asked_first(
    socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one that was idle: no other put costs a round trip more."""
    fake = FakeBroker(socket_folder / "s").on(b"put", INSERTED)
    with fake, closing(ConnectionPool(fake.url)) as pool:
        for _ in range(2):
            pool.put("t", b"", PutOptions())
        monkeypatch.setattr(idle_connections, "ASK_AFTER", -1)
        pool.put("t", b"", PutOptions())

    assert commands(fake) == [b"use", b"put", b"put", b"use", b"put"]


@pytest.mark.parametrize("answer", [SILENCE, HANG_UP, Answer(b"what?\r\n")])
def test_idle_connection_that_was_forgotten(
    socket_folder: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    """The job goes over a new connection, and is sent once."""
    fake = FakeBroker(socket_folder / "s").on(b"put", INSERTED)
    fake.on(b"use", USING, answer, USING)
    with fake, closing(ConnectionPool(f"{fake.url}?timeout=1")) as pool:
        pool.put("t", b"", PutOptions())
        monkeypatch.setattr(idle_connections, "ASK_AFTER", -1)
        assert pool.put("t", b"", PutOptions()) == 1

    assert commands(fake) == [b"use", b"put", b"use", b"use", b"put"]


def test_silence_makes_all_idle_connections_suspect(broker: Beanstalkd) -> None:
    with closing(ConnectionPool(f"{broker.url}?timeout=0.2")) as pool:
        use_at_the_same_time(pool, 5)
        connections = list(pool._idle._idle)
        broker.signal(signal.SIGSTOP)
        with pytest.raises(BrokerTimeoutError):
            pool.put("t", b"", PutOptions())

        assert not any(connection.is_open for connection in connections)
        broker.signal(signal.SIGCONT)


def test_many_on_a_silent_connection(socket_folder: Path) -> None:
    """Its first round trip puts no job: the jobs go over a new connection."""
    fake = FakeBroker(socket_folder / "s").on(b"put", INSERTED)
    fake.on(b"use", USING, SILENCE, USING)
    with fake, closing(ConnectionPool(f"{fake.url}?timeout=1")) as pool:
        pool.put("t", b"", PutOptions())
        assert pool.put_many("t", iter([b"", b""]), PutOptions()) == [1, 1]

    assert commands(fake) == [b"use", b"put", b"use", b"use", b"put", b"put"]


class Interrupt(BaseException): ...


def test_two_interrupts(broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose reply was not read is not kept, though its close failed."""

    def interrupt(*_: object) -> bytes:
        raise Interrupt

    close = ProducerConnection.close

    def interrupted_close(_: ProducerConnection) -> None:
        monkeypatch.setattr(ProducerConnection, "close", close)
        raise Interrupt

    with closing(ConnectionPool(broker.url)) as pool:
        assert pool.put("t", b"", PutOptions()) == 1
        with monkeypatch.context() as patched:
            patched.setattr(ReplyReader, "readline", interrupt)
            monkeypatch.setattr(ProducerConnection, "close", interrupted_close)
            with pytest.raises(Interrupt):
                pool.put("t", b"", PutOptions())

        assert len(pool._idle) == 0
        assert pool.put("t", b"", PutOptions()) == 3


def test_interrupt_in_a_put_of_many(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same when all replies were read, but that is not noted yet."""
    with closing(ConnectionPool(broker.url)) as pool:
        assert pool.put("t", b"", PutOptions()) == 1
        (connection,) = pool._idle._idle
        exchange = type(connection._exchange)
        leave = exchange.__exit__

        def interrupted_exit(*_: object) -> None:
            monkeypatch.setattr(exchange, "__exit__", leave)
            raise Interrupt

        monkeypatch.setattr(exchange, "__exit__", interrupted_exit)
        with pytest.raises(Interrupt):
            pool.put_many("t", [b""], PutOptions())

        assert not connection.is_open
        assert pool.put("t", b"", PutOptions()) == 2


FIRST_PUTS = """
import sys
from jobqueue import JobQueue

queue = JobQueue(*sys.argv[1:])

@queue.task("t")
def send(n): ...

before = set(sys.modules)
send.put(n=1)
send.put_many([{"n": 2}])
print(set(sys.modules) - before)
"""


@pytest.mark.parametrize("is_given", [True, False])
def test_first_put_imports_nothing(broker: Beanstalkd, *, is_given: bool) -> None:
    """Else a child that is forked meanwhile would wait for the import for ever."""
    url = f"{broker.url}?timeout=3"  # urllib reads such a URL
    env = os.environ | {"BEANSTALKD_URL": url, "JOBQUEUE_SECRET": "s" * 32}  # by hmac
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PUTS, *[url] * is_given],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("set()\n", "")
