"""beanstalkd and the development server give the same replies, byte for byte.

Where versions of beanstalkd differ, the development server follows 1.13.
"""

import pytest

from tests.devserver.conformance.conversations import (
    BEFORE_1_13,
    CONVERSATIONS,
    USING,
)
from tests.helpers.raw_client import RawClient, converse
from tests.helpers.servers import (
    Server,
    eventually,
    eventually_true,
    has_behaviour_of,
)


@pytest.mark.parametrize("pieces", [None, 1], ids=["in one write", "byte by byte"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_replies(server: Server, name: str, pieces: int | None) -> None:
    sent, expected = CONVERSATIONS[name]
    if name in BEFORE_1_13 and not has_behaviour_of("1.13", server):
        expected = BEFORE_1_13[name]
    if pieces and len(sent) > 10_000:
        pieces = 1000

    assert converse(server.target, sent, pieces) == expected


def test_many_commands_in_one_write(
    server: Server,
) -> None:
    commands = b"".join(b"use t%d\r\n" % number for number in range(5000))
    expected = b"".join(b"USING t%d\r\n" % number for number in range(5000))

    with RawClient(server.target) as client:
        client.send(commands)

        assert client.end_and_rest() == expected


def test_client_that_does_not_read(client: RawClient, other: RawClient) -> None:
    """It gets all replies when it reads; others are served meanwhile."""
    job_id = client.put(bytes(60_000))
    count = 1000
    client.send(b"peek %d\r\n" % job_id * count)
    assert other.ask(b"list-tube-used") == USING  # the server goes on with others

    expected = b"FOUND %d 60000\r\n%b\r\n" % (job_id, bytes(60_000))
    assert client.end_and_rest() == expected * count


def test_commands_wait_behind_a_reserve(client: RawClient, other: RawClient) -> None:
    client.send(b"reserve\r\ndelete 1\r\nuse a\r\nreserve\r\n")
    eventually(lambda: other.stats()["current-waiting"], "1")
    assert other.ask(b"list-tubes") == b"OK 14\r\n---\n- default\n\r\n"

    other.put(b"hello")

    replies = [client.reply() for _ in range(3)]
    assert replies == [b"RESERVED 1 5\r\nhello\r\n", b"DELETED\r\n", b"USING a\r\n"]
    eventually(lambda: other.stats()["current-waiting"], "1")


def test_many_commands_wait_behind_a_reserve(
    client: RawClient, other: RawClient
) -> None:
    client.send(b"reserve\r\n" + b"list-tube-used\r\n" * 10_000)
    eventually(lambda: other.stats()["current-waiting"], "1")

    other.put(b"hello")

    assert client.end_and_rest() == b"RESERVED 1 5\r\nhello\r\n" + USING * 10_000


def test_garbage_harms_no_other_client(client: RawClient, other: RawClient) -> None:
    client.send(bytes(range(256)) * 500 + b"\r\n" * 3)
    client.end()
    while client.reply():
        pass

    assert other.ask(b"list-tube-used") == USING


def test_leaving_amid_replies_harms_no_other_client(
    client: RawClient, other: RawClient
) -> None:
    job_id = client.put(bytes(60_000))
    client.send(b"peek %d\r\n" % job_id * 100)
    eventually_true(client.has_answer)
    client.close()

    eventually(lambda: other.stats()["current-connections"], "1")
    assert other.ask(b"delete %d" % job_id) == b"DELETED\r\n"
