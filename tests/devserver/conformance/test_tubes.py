"""Tubes, limits and draining, on beanstalkd and on the development server."""

from pathlib import Path

import pytest

from tests.devserver.conformance.conversations import ASK, USING
from tests.helpers.raw_client import RawClient, converse
from tests.helpers.servers import (
    SERVERS,
    Server,
    eventually,
    server_of,
)


def test_tube_vanishes_with_its_last_client(
    client: RawClient, other: RawClient
) -> None:
    client.asks(b"use a", b"watch b", b"watch c", b"watch d")
    other.ask(b"watch c")

    client.close()

    eventually(lambda: other.ask(b"list-tubes"), b"OK 18\r\n---\n- default\n- c\n\r\n")


def test_pause_of_0_seconds_ends_a_pause(client: RawClient, other: RawClient) -> None:
    client.put()
    client.ask(b"pause-tube default 100")
    other.send(b"reserve\r\n")
    eventually(lambda: client.stats()["current-waiting"], "1")

    assert client.ask(b"pause-tube default 0") == b"PAUSED\r\n"

    assert other.reply() == b"RESERVED 1 0\r\n\r\n"


def test_order_of_the_list_after_a_client_left(
    client: RawClient, other: RawClient
) -> None:
    client.asks(b"watch a", b"watch b", b"watch c", b"use d")
    other.asks(b"watch e", b"watch f", b"watch g")

    client.close()

    expected = ["- default", "- e", "- f", "- g"]
    eventually(lambda: other.yaml(b"list-tubes"), expected)


def test_used_tube_is_made_before_the_old_one_vanishes(
    client: RawClient, other: RawClient
) -> None:
    client.ask(b"use a")
    other.ask(b"watch b")

    client.ask(b"use c")

    assert other.yaml(b"list-tubes") == ["- default", "- c", "- b"]


def test_draining_server_refuses_jobs(server: Server, client: RawClient) -> None:
    client.put(b"hello")
    server.drain()
    eventually(lambda: client.stats()["draining"], "true")

    assert client.ask(b"put 0 0 1 1\r\nx") == b"DRAINING\r\n"
    client.send(b"put 0 0 1 1\r\nx??")
    assert client.reply() == b"EXPECTED_CRLF\r\n"
    assert client.ask(b"put 0 0 1 65536\r\n" + bytes(65536)) == b"JOB_TOO_BIG\r\n"
    assert client.ask(b"reserve") == b"RESERVED 1 5\r\nhello\r\n"
    assert client.ask(b"release 1 0 0") == b"RELEASED\r\n"


@pytest.mark.parametrize("kind", SERVERS)
def test_max_job_size(socket_folder: Path, kind: str) -> None:
    with server_of(kind, socket_folder, max_job_size=3) as server:
        sent = b"put 0 0 1 3\r\nabc\r\nput 0 0 1 4\r\nabcd\r\n" + ASK

        assert converse(server.target, sent) == b"INSERTED 1\r\nJOB_TOO_BIG\r\n" + USING
        with RawClient(server.target) as client:
            assert client.stats()["max-job-size"] == "3"
