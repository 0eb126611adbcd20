"""A job that beanstalkd itself destroys is found out, and no other is taken for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.servers import REAL, Beanstalkd

from .binlog import BinlogWatch


@pytest.fixture
def broker(
    tmp_path: Path, socket_folder: Path, _each_beanstalkd: None
) -> Iterator[Beanstalkd]:
    options = "-b", str(tmp_path), "-f", "0"
    with Beanstalkd(socket_folder / "b.sock", *options, program=REAL) as broker:
        yield broker


def test_destroyed(broker: Beanstalkd, tmp_path: Path) -> None:
    """A file is removed, and its jobs are in no other."""
    watch = BinlogWatch(tmp_path)
    first, second = broker.put(b"x"), broker.put(b"y")
    with broker.client() as client:
        client.delete(first)
    broker.kill()

    assert watch.destroyed() == set()
    broker.start()
    broker.put(b"z")
    broker.kill()
    (tmp_path / "binlog.1").unlink()
    assert watch.destroyed() == {second}
    assert watch.destroyed() == set()


def test_deleted_and_buried(broker: Beanstalkd, tmp_path: Path) -> None:
    """What a client has done with a job is in the binlog."""
    watch = BinlogWatch(tmp_path)
    deleted, buried = broker.put(b"x", "t"), broker.put(b"y", "t")
    broker.kill()
    watch.destroyed()
    broker.start()
    with broker.client("t") as client:
        client.bury(client.reserve_job(buried))
        client.delete(deleted)
    broker.kill()

    (tmp_path / "binlog.1").unlink()
    assert watch.destroyed() == set()


def test_gone_with_records(broker: Beanstalkd, tmp_path: Path) -> None:
    """If records are missing, they may be those of a deletion."""
    watch = BinlogWatch(tmp_path)
    broker.put(b"x")
    broker.kill()
    watch.destroyed()
    for _ in range(2):
        broker.start()
        broker.counts("t")  # it answers once it has begun its next file
        broker.kill()

    for number in (1, 2):
        (tmp_path / f"binlog.{number}").unlink()
    assert watch.destroyed() == set()
