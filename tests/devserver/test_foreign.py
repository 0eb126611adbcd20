"""A client that speaks HTTP or TLS, such as a browser, is refused unheard."""

import logging

import pytest

from tests.helpers.devserver_core import Core

PUT = b"put 0 0 60 4\r\nevil\r\n"
PUT_INSERTED = b"INSERTED 1\r\n"
LONG = b"x" * 500

REQUESTS = {
    "post": b"POST / HTTP/1.1\r\nHost: 127.0.0.1:11300\r\n\r\n",
    "get_1_0": b"GET /x?y=z HTTP/1.0\r\n\r\n",
    "method_of_the_page's_own": b"use /x HTTP/1.1\r\nHost: rebound.example\r\n\r\n",
    "options": b"OPTIONS * HTTP/1.1\r\n\r\n",
    "absolute": b"CONNECT evil.example:80 HTTP/1.1\r\n\r\n",
    "http_2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "header_alone": b"host:\r\n",
    "long_path": b"POST /" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long_path_of_own_method": b"foo /" + LONG + b" HTTP/1.1\r\nhOsT: x\r\n\r\n",
    "long_method": LONG + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    "long_tls": b"\x16\x03\x01\x02\x00" + LONG + b"\r\n",
}


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("is_in_pieces", [False, True], ids=["whole", "pieces"])
def test_no_command_of_a_request_is_run(
    core: Core, request_: bytes, caplog: pytest.LogCaptureFixture, *, is_in_pieces: bool
) -> None:
    client = core.client()
    data = request_ + PUT
    step = 1 if is_in_pieces else len(data)
    with caplog.at_level(logging.WARNING, "jobqueue.devserver"):
        for at in range(0, len(data), step):
            client.ask(data[at : at + step])

    assert client.transport.is_closed
    assert "INSERTED" not in client.transport.written.decode()
    assert core.conversations.broker.total_jobs == 0
    (message,) = caplog.messages
    assert "speaks TLS" in message or "speaks HTTP" in message


def test_nothing_is_run_after_the_end(core: Core) -> None:
    client = core.client()
    client.ask(b"GET / HTTP/1.1\r\n" + PUT)
    client.ask(PUT)
    client.conversation.end()

    assert core.conversations.broker.total_jobs == 0


@pytest.mark.parametrize(
    "line",
    [
        b"GET\r\n",
        b"POST 1\r\n",
        b"use HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"x" * 300 + b" HTTP/1.1\r\n",
    ],
)
def test_what_only_resembles_http_is_answered(core: Core, line: bytes) -> None:
    client = core.client()
    assert client.ask(line)
    assert client.ask(PUT) == PUT_INSERTED
    assert not client.transport.is_closed


def test_body_may_hold_a_request(core: Core) -> None:
    client = core.client()
    body = REQUESTS["post"]
    assert client.ask(b"put 0 0 60 %d\r\n%b\r\n" % (len(body), body)) == PUT_INSERTED
