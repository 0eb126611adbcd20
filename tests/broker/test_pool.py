"""Connections that stay open between puts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobqueue import BrokerTimeoutError, ConnectionLostError
from jobqueue.broker.pool import ConnectionPool
from jobqueue.broker.put_options import PutOptions
from tests.helpers.fake_broker import HANG_UP, SILENCE, Answer, FakeBroker

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
    with fake:
        with pytest.raises(ConnectionLostError):
            pool.put("t", b"", PutOptions())
        assert pool._idle == []
        pool.close()


def test_close_during_a_put(socket_folder: Path) -> None:
    """A connection that was in use meanwhile is closed when it is idle."""
    fake = FakeBroker(socket_folder / "s").on(b"put", INSERTED)
    pool = ConnectionPool(fake.url)

    def bodies() -> Iterator[bytes]:
        pool.close()
        yield b""

    with fake:
        assert pool.put_many("t", bodies(), PutOptions()) == [1]
        assert pool._idle == []
        pool.close()


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
