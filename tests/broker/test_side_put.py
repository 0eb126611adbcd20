"""A job that is put in the write that settles another, and changes nothing there."""

from pathlib import Path

import pytest

from jobqueue import ConnectionLostError
from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.settlement import Buried, SidePut, SidePutReply
from tests.helpers.fake_broker import NOT_FOUND, RESERVED, FakeBroker, cut
from tests.helpers.servers import Beanstalkd

NOTE = SidePut("notes", 1234, b"why")
INSERTED = b"INSERTED 17\r\n"


@pytest.fixture
def fake(socket_folder: Path) -> FakeBroker:
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"use", b"USING notes\r\n").on(b"reserve-with-timeout", RESERVED)
    return fake.on(b"bury", b"BURIED\r\n").on(b"put", INSERTED)


def test_one_write(fake: FakeBroker) -> None:
    """The reply to the put is read with the next job."""
    replies: list[SidePutReply] = []
    with fake, ConsumerConnection(Address.parse(fake.url)) as connection:
        for _ in range(2):
            settled = connection.settle_and_put(
                9, Buried(7), NOTE, replies.append, reserve=5
            )
            assert settled
            count = len(replies)
            assert connection.reserve(5)
            assert len(replies) == count + 1

    put = b"put 1234 0 60 3\r\nwhy\r\nreserve-with-timeout 5\r\n"
    assert fake.writes == [
        b"bury 9 7\r\nuse notes\r\n" + put,
        b"bury 9 7\r\n" + put,
    ]
    assert replies == [SidePutReply(is_settled=True, put_id=17)] * 2


def test_lost_reservation(fake: FakeBroker) -> None:
    replies: list[SidePutReply] = []
    fake.on(b"bury", NOT_FOUND)
    with fake, ConsumerConnection(Address.parse(fake.url)) as connection:
        assert not connection.settle_and_put(9, Buried(7), NOTE, replies.append)

    assert replies == [SidePutReply(is_settled=False, put_id=17)]


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (b"DRAINING\r\n", "draining"),
        (b"OUT_OF_MEMORY\r\n", "out of memory"),
        (b"BURIED 17\r\n", "out of memory"),
        (b"JOB_TOO_BIG\r\n", "limit"),
    ],
)
def test_refusals(fake: FakeBroker, refusal: bytes, why: str) -> None:
    """The connection goes on."""
    replies: list[SidePutReply] = []
    fake.on(b"put", refusal)
    with fake, ConsumerConnection(Address.parse(fake.url)) as connection:
        assert connection.settle_and_put(9, Buried(7), NOTE, replies.append)
        assert connection.reserve(5)

    (reply,) = replies
    assert reply.put_id is None
    assert why in reply.refusal
    assert reply.is_too_big == (refusal == b"JOB_TOO_BIG\r\n")


@pytest.mark.parametrize("reserve", [None, 5], ids=["alone", "with a request"])
def test_cut_at_each_byte(socket_folder: Path, reserve: int | None) -> None:
    """The job is settled, and only the next request learns of the loss."""
    replies: list[SidePutReply] = []
    for end in range(len(INSERTED)):
        fake = FakeBroker(socket_folder / str(end))
        fake.on(b"bury", b"BURIED\r\n").on(b"put", cut(INSERTED[:end]))
        with fake, ConsumerConnection(Address.parse(fake.url)) as connection:
            assert connection.settle_and_put(
                9, Buried(7), NOTE, replies.append, reserve=reserve
            )
            with pytest.raises(ConnectionLostError, match="was lost"):
                connection.reserve(5)
            assert not connection.is_open
    assert replies == []


def test_on_a_broker(broker: Beanstalkd) -> None:
    replies: list[SidePutReply] = []
    job_id = broker.put(b"job")
    with ConsumerConnection(Address.parse(broker.url)) as connection:
        connection.watch_only(["t"])
        assert connection.reserve(0) == (job_id, b"job")
        connection.settle_and_put(job_id, Buried(7), NOTE, replies.append, reserve=0)
        assert connection.reserve(0) is None

    with broker.client("notes") as client:
        note = client.reserve(timeout=0)
        assert client.stats_job(note)["pri"] == 1234
    assert (note.id, note.body) == (replies[0].put_id, b"why")
    assert broker.counts("t") == {"buried": 1}
