"""Several clients at once, on beanstalkd and on the development server."""

import pytest

from tests.helpers.raw_client import RawClient
from tests.helpers.servers import (
    Server,
    eventually,
)


def test_waiting_clients_take_turns(server: Server, client: RawClient) -> None:
    """The turn goes round positions; the last client takes that of one that left."""
    waiting = [RawClient(server.target) for _ in range(4)]
    for number, one in enumerate(waiting, 1):
        one.send(b"reserve\r\n")
        eventually(lambda: client.stats()["current-waiting"], str(number))

    for _ in waiting:
        client.put()

    replies = [one.reply() for one in waiting]
    for one in waiting:
        one.close()
    assert replies == [b"RESERVED %d 0\r\n\r\n" % turn for turn in (1, 2, 4, 3)]


def test_a_job_goes_to_a_watching_client(
    client: RawClient, other: RawClient, third: RawClient
) -> None:
    client.asks(b"watch a", b"ignore default")
    client.send(b"reserve\r\n")
    eventually(lambda: third.stats()["current-waiting"], "1")
    other.send(b"reserve\r\n")
    eventually(lambda: third.stats()["current-waiting"], "2")

    third.put(b"default")
    third.ask(b"use a")
    third.put(b"a")

    assert client.reply() == b"RESERVED 2 1\r\na\r\n"
    assert other.reply() == b"RESERVED 1 7\r\ndefault\r\n"


def test_reserved_job_belongs_to_its_client(
    client: RawClient, other: RawClient
) -> None:
    client.put()
    client.ask(b"reserve")

    replies = other.asks(
        b"delete 1", b"release 1 0 0", b"bury 1 0", b"touch 1", b"reserve-job 1"
    )

    assert replies == [b"NOT_FOUND\r\n"] * 5


@pytest.mark.parametrize("end", ["quit", "close", "half-close"])
def test_jobs_of_a_client_that_leaves(
    client: RawClient, other: RawClient, end: str
) -> None:
    """They are ready again."""
    for priority in (2, 1):
        client.put(b"hello", priority)
    client.asks(b"reserve", b"reserve")
    other.send(b"reserve\r\n")
    eventually(lambda: client.stats()["current-waiting"], "1")

    if end == "quit":
        client.send(b"quit\r\n")
    elif end == "close":
        client.close()
    else:
        client.end()

    assert other.reply() == b"RESERVED 2 5\r\nhello\r\n"
    assert other.ask(b"reserve") == b"RESERVED 1 5\r\nhello\r\n"
    assert other.stats(b"stats-job 1")["releases"] == "0"


def test_client_that_vanished_while_waiting(
    client: RawClient, other: RawClient, third: RawClient
) -> None:
    """It gets no job."""
    client.send(b"reserve\r\n")
    eventually(lambda: other.stats()["current-waiting"], "1")
    client.close()
    eventually(lambda: other.stats()["current-waiting"], "0")

    other.put(b"hello")

    assert third.ask(b"reserve") == b"RESERVED 1 5\r\nhello\r\n"


def test_client_that_vanished_within_a_body(
    client: RawClient, other: RawClient
) -> None:
    """Its job is not put."""
    other.ask(b"watch a")
    client.send(b"put 0 0 100 10\r\nhel")
    eventually(lambda: other.stats()["cmd-put"], "1")
    client.close()
    eventually(lambda: other.stats()["current-connections"], "1")

    assert other.ask(b"peek 1") == b"NOT_FOUND\r\n"
    assert other.stats()["total-jobs"] == "0"
    assert other.put() == 2


def test_job_without_its_body_is_invalid(client: RawClient, other: RawClient) -> None:
    client.send(b"put 0 0 100 10\r\nhel")
    eventually(lambda: other.stats()["cmd-put"], "1")

    assert other.stats(b"stats-job 1")["state"] == "invalid"
    replies = other.asks(b"delete 1", b"kick-job 1", b"reserve-job 1", b"touch 1")
    assert replies == [b"NOT_FOUND\r\n"] * 4
