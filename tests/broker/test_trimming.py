"""A tube that holds too many jobs: its first ones are deleted, and not one too many."""

from collections.abc import Iterator

import pytest

from jobqueue.broker.address import Address
from jobqueue.broker.trimming import TrimmingConnection
from tests.helpers.servers import Beanstalkd


@pytest.fixture
def trimming(broker: Beanstalkd) -> Iterator[TrimmingConnection]:
    with TrimmingConnection(Address.parse(broker.url)) as connection:
        yield connection


def put(broker: Beanstalkd, count: int) -> list[int]:
    """Put jobs of which the last is the first to be handed out; return their ids."""
    with broker.client("t") as client:
        ids = [client.put(b"x" * 100, priority=count - n) for n in range(count)]
    return ids[::-1]


def left(broker: Beanstalkd, ids: list[int]) -> list[int]:
    with broker.client("t") as client:
        found = [
            client.reserve(timeout=0).id for _ in range(broker.counts("t")["ready"])
        ]
    assert set(found) <= set(ids)
    return found


@pytest.mark.parametrize("count", [3, 1203])
def test_too_many(broker: Beanstalkd, trimming: TrimmingConnection, count: int) -> None:
    ids = put(broker, count)

    assert trimming.trim("t", 2) == 2
    assert left(broker, ids) == ids[-2:]


def test_few_enough(broker: Beanstalkd, trimming: TrimmingConnection) -> None:
    ids = put(broker, 2)

    assert trimming.trim("t", 3) == 2
    assert trimming.trim("none", 3) == 0
    assert left(broker, ids) == ids


def test_paused(broker: Beanstalkd, trimming: TrimmingConnection) -> None:
    """A tube that hands out no jobs is left alone."""
    put(broker, 5)
    with broker.client() as client:
        client.pause_tube("t", 60)

    assert trimming.trim("t", 3) == 3
    assert broker.counts("t") == {"ready": 5}


def test_two_at_once(
    broker: Beanstalkd,
    trimming: TrimmingConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Jobs that another one has reserved meanwhile count for those to delete."""
    ids = put(broker, 10)
    reserve_many = trimming._reserve_many
    with broker.client("t") as another:

        def reserve_late(count: int) -> list[int]:
            for _ in range(4):
                another.reserve(timeout=0)
            return reserve_many(count)

        monkeypatch.setattr(trimming, "_reserve_many", reserve_late)
        assert trimming.trim("t", 5) > 5  # another is at it
        trimming.close()
        assert left(broker, ids) == ids[5:]
    assert broker.counts("t") == {"ready": 9}


def test_deleting_the_same(broker: Beanstalkd, trimming: TrimmingConnection) -> None:
    """A job that has the id of another by now is not deleted."""
    job_id = broker.put(b"this")

    assert not trimming.delete_same(job_id, b"that")
    assert not trimming.delete_same(job_id + 1, b"this")
    assert trimming.delete_same(job_id, b"this")
    assert broker.counts("t") == {}
