"""Timeouts, delays, pauses and deadlines, on beanstalkd and on the development server.

The times are the shortest ones of the protocol, which counts in seconds. The tests do
not assert how much longer a server takes.
"""

import time
from collections.abc import Callable

import pytest

from tests.helpers.raw_client import RawClient
from tests.helpers.servers import (
    Server,
    eventually,
    eventually_true,
    has_behaviour_of,
)

EARLY = 0.05  # seconds: the clocks of two processes are read at different moments


def seconds_of(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def put(client: RawClient, ttr: int = 100, delay: int = 0) -> None:
    assert client.ask(b"put 0 %d %d 0\r\n" % (delay, ttr)).startswith(b"INSERTED")


RESERVED = b"RESERVED 1 0\r\n\r\n"


def test_reserve_waits_for_its_timeout(client: RawClient) -> None:
    def reserve() -> None:
        assert client.ask(b"reserve-with-timeout 1") == b"TIMED_OUT\r\n"

    assert seconds_of(reserve) > 1 - EARLY
    assert client.stats()["current-waiting"] == "0"


@pytest.mark.parametrize("seconds", [b"-1", b"2147483648"])
def test_negative_timeout_waits_without_limit(
    server: Server, client: RawClient, other: RawClient, seconds: bytes
) -> None:
    """Before 1.13, that is; since then it is refused."""
    if has_behaviour_of("1.13", server):
        reply = client.ask(b"reserve-with-timeout %b" % seconds)
        assert reply == b"BAD_FORMAT\r\n"
        return
    client.send(b"reserve-with-timeout %b\r\n" % seconds)
    eventually(lambda: other.stats()["current-waiting"], "1")
    time.sleep(1.1)  # more than the least time-out there is

    assert not client.has_answer()
    put(other)
    assert client.reply() == RESERVED


def test_delay_of_a_put(client: RawClient, other: RawClient) -> None:
    put(client, delay=1)
    assert other.ask(b"peek-delayed") == b"FOUND 1 0\r\n\r\n"
    assert other.ask(b"reserve-with-timeout 0") == b"TIMED_OUT\r\n"

    assert seconds_of(lambda: other.ask(b"reserve")) > 1 - EARLY

    assert other.stats(b"stats-job 1")["state"] == "reserved"


def test_delay_of_a_release(client: RawClient) -> None:
    put(client)
    client.ask(b"reserve")
    client.ask(b"release 1 0 1")

    def reserve() -> None:
        assert client.ask(b"reserve") == RESERVED

    assert seconds_of(reserve) > 1 - EARLY


def test_delayed_jobs_come_by_deadline(client: RawClient, other: RawClient) -> None:
    client.send(b"reserve\r\nreserve\r\n")
    eventually(lambda: other.stats()["current-waiting"], "1")

    put(other, delay=2)
    put(other, delay=1)

    assert client.reply() == b"RESERVED 2 0\r\n\r\n"
    assert client.reply() == RESERVED


def test_pause_ends(client: RawClient) -> None:
    put(client)
    client.ask(b"pause-tube default 1")

    def reserve() -> None:
        assert client.ask(b"reserve") == RESERVED

    assert seconds_of(reserve) > 1 - EARLY
    stats = client.stats(b"stats-tube default")
    assert (stats["pause"], stats["cmd-pause-tube"]) == ("0", "1")


def test_deadline_soon(client: RawClient) -> None:
    """A reserve is answered a second before the client's own job is taken back."""
    put(client, ttr=2)
    assert client.ask(b"reserve") == RESERVED

    def reserve() -> None:
        assert client.ask(b"reserve") == b"DEADLINE_SOON\r\n"

    assert seconds_of(reserve) > 1 - EARLY
    assert client.ask(b"reserve-with-timeout 0") == b"DEADLINE_SOON\r\n"
    assert client.ask(b"release 1 0 0") == b"RELEASED\r\n"


@pytest.mark.parametrize("ttr", [0, 1])
def test_a_ttr_of_a_second_is_all_margin(client: RawClient, ttr: int) -> None:
    put(client, ttr=ttr)
    assert client.stats(b"stats-job 1")["ttr"] == "1"

    client.send(b"reserve\r\nreserve\r\ntouch 1\r\nreserve-with-timeout 100\r\n")

    assert client.reply() == RESERVED
    assert client.reply() == b"DEADLINE_SOON\r\n"
    assert client.reply() == b"TOUCHED\r\n"
    assert client.reply() == b"DEADLINE_SOON\r\n"


def test_ready_job_comes_before_deadline_soon(client: RawClient) -> None:
    put(client, ttr=1)
    put(client, ttr=1)

    client.send(b"reserve\r\nreserve\r\nreserve\r\n")

    replies = [client.reply() for _ in range(3)]
    assert replies == [RESERVED, b"RESERVED 2 0\r\n\r\n", b"DEADLINE_SOON\r\n"]


def test_ready_job_of_a_paused_tube_does_not(client: RawClient) -> None:
    put(client, ttr=1)
    put(client, ttr=1)
    client.send(b"reserve\r\npause-tube default 100\r\nreserve\r\n")

    replies = [client.reply() for _ in range(3)]
    assert replies == [RESERVED, b"PAUSED\r\n", b"DEADLINE_SOON\r\n"]


def test_job_is_taken_back_after_its_ttr(client: RawClient, other: RawClient) -> None:
    """The client that holds the job sends commands meanwhile.

    beanstalkd does not always take a job back from a silent client in time: in 31
    of 40 attempts it did, and in 40 of 40 when the client sent commands.
    """
    put(client, ttr=1)
    client.ask(b"reserve")

    def is_handed_over() -> bool:
        client.ask(b"list-tube-used")
        return other.has_answer()

    def reserve() -> None:
        other.send(b"reserve\r\n")
        eventually_true(is_handed_over)
        assert other.reply() == RESERVED

    assert seconds_of(reserve) > 1 - EARLY
    assert client.ask(b"delete 1") == b"NOT_FOUND\r\n"
    assert client.ask(b"touch 1") == b"NOT_FOUND\r\n"
    stats = other.stats(b"stats-job 1")
    assert (stats["timeouts"], stats["reserves"]) == ("1", "2")
    assert other.stats()["job-timeouts"] == "1"


def test_touch_starts_the_ttr_again(client: RawClient) -> None:
    put(client, ttr=2)
    client.ask(b"reserve")
    assert client.ask(b"reserve") == b"DEADLINE_SOON\r\n"
    assert client.ask(b"touch 1") == b"TOUCHED\r\n"

    def reserve() -> None:
        assert client.ask(b"reserve") == b"DEADLINE_SOON\r\n"

    assert seconds_of(reserve) > 1 - EARLY


def test_ttr_starts_with_the_reserve(
    client: RawClient,
) -> None:
    put(client, ttr=100, delay=200)
    client.ask(b"reserve-job 1")

    assert 80 < int(client.stats(b"stats-job 1")["time-left"]) <= 100
