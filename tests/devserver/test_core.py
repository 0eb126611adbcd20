"""The development server without sockets, at a time that the tests set."""

import tracemalloc

import pytest

from jobqueue.devserver.records import SECOND
from tests.helpers.devserver_core import Core


@pytest.fixture
def core() -> Core:
    return Core()


PUT = b"put 0 0 10 0\r\n\r\n"


RESERVED = b"RESERVED 1 0\r\n\r\n"


def test_job_is_taken_back_after_its_ttr(core: Core) -> None:
    one, other = core.client(), core.client()
    assert one.ask(PUT + b"reserve\r\n") == b"INSERTED 1\r\n" + RESERVED
    assert other.ask(b"reserve\r\n") == b""

    core.wait(9.9)
    assert other.transport.take() == b""
    assert b"time-left: 0\n" in one.ask(b"stats-job 1\r\n")
    core.wait(0.1)

    assert other.transport.take() == RESERVED
    assert one.ask(b"touch 1\r\n") == b"NOT_FOUND\r\n"
    assert b"timeouts: 1\n" in one.ask(b"stats-job 1\r\n")


def test_touch_starts_the_ttr_again(core: Core) -> None:
    client = core.client()
    client.ask(PUT + b"reserve\r\n")

    core.wait(9.9)
    assert client.ask(b"touch 1\r\n") == b"TOUCHED\r\n"
    core.wait(9.9)
    assert client.ask(b"touch 1\r\n") == b"TOUCHED\r\n"
    core.wait(10)

    assert client.ask(b"touch 1\r\n") == b"NOT_FOUND\r\n"


def test_deadline_soon_of_the_first_job(
    core: Core,
) -> None:
    client = core.client()
    client.ask(b"put 0 0 20 0\r\n\r\n" + PUT + b"reserve\r\nreserve\r\n")
    client.ask(b"reserve-with-timeout 15\r\n")

    core.wait(8.9)
    assert client.transport.take() == b""
    core.wait(0.1)
    assert client.transport.take() == b"DEADLINE_SOON\r\n"


def test_timeout_before_deadline_soon(core: Core) -> None:
    client = core.client()
    client.ask(PUT + b"reserve\r\nreserve-with-timeout 5\r\n")

    core.wait(5)

    assert client.transport.take() == b"TIMED_OUT\r\n"


def test_wait_that_was_too_long(
    core: Core,
) -> None:
    """For example, the machine slept: the client does not get its own job back."""
    client = core.client()
    client.ask(PUT + b"reserve\r\nreserve\r\n")

    core.wait(1000)

    assert client.transport.take() == b"DEADLINE_SOON\r\n"
    assert client.ask(b"peek-ready\r\n") == b"FOUND 1 0\r\n\r\n"


def test_delays_and_pauses_end_in_order(core: Core) -> None:
    producer, waiting = core.client(), core.client()
    producer.ask(b"put 0 30 99 0\r\n\r\nput 0 10 99 0\r\n\r\n")
    producer.ask(b"pause-tube default 20\r\n")
    waiting.ask(b"reserve\r\nreserve\r\n")

    core.wait(10)
    assert waiting.transport.take() == b""
    core.wait(10)
    assert waiting.transport.take() == b"RESERVED 2 0\r\n\r\n"
    core.wait(5)
    assert waiting.ask(b"touch 2\r\n") == b""  # it still waits
    core.wait(5)
    assert waiting.transport.take() == RESERVED + b"TOUCHED\r\n"


def test_next_tick(core: Core) -> None:
    client = core.client()
    assert core.conversations.broker.next_tick() is None
    client.ask(b"put 0 30 9 0\r\n\r\n")
    assert core.conversations.broker.next_tick() == 30 * SECOND
    client.ask(b"pause-tube default 20\r\n")
    assert core.conversations.broker.next_tick() == 20 * SECOND
    client.ask(PUT + b"reserve-job 2\r\n")
    assert core.conversations.broker.next_tick() == 10 * SECOND
    client.ask(b"reserve-with-timeout 5\r\n")
    assert core.conversations.broker.next_tick() == 5 * SECOND
    client.conversation.close()
    assert core.conversations.broker.next_tick() == 20 * SECOND


def test_next_tick_after_a_paused_tube_vanished(core: Core) -> None:
    client = core.client()
    client.ask(b"use a\r\npause-tube a 20\r\nuse default\r\n")

    assert core.conversations.broker.next_tick() is None


def test_client_that_does_not_read(core: Core) -> None:
    """Its commands are executed when it reads again."""
    client = core.client()
    client.ask(b"put 0 0 9 65536\r\n%b\r\n" % bytes(65536))
    client.transport.paused = client.conversation

    answered = client.ask(b"peek 1\r\n" * 10 + b"delete 1\r\n")
    assert answered.count(b"FOUND") == 1
    assert client.ask(b"peek 1\r\n") == b""

    client.transport.paused = None
    client.conversation.resume()
    replies = client.transport.take()
    assert replies.count(b"\nFOUND 1 65536\r\n") + replies.startswith(b"FOUND") == 9
    assert replies.endswith(b"DELETED\r\nNOT_FOUND\r\n")


def test_reading_stops_at_a_limit(core: Core) -> None:
    """While a client waits for a job, its further commands are kept up to a limit."""
    client, other = core.client(), core.client()
    client.ask(b"reserve\r\n")

    client.ask(b"list-tube-used\r\n" * 1000)
    assert client.transport.is_reading
    client.ask(b"list-tube-used\r\n" * 100_000)
    assert not client.transport.is_reading

    other.ask(PUT)
    assert client.transport.is_reading
    assert client.transport.take().count(b"USING") == 101_000


def test_half_closed_client(core: Core) -> None:
    """The commands that it sent before are executed."""
    client, other = core.client(), core.client()
    client.ask(PUT + b"reserve\r\nreserve\r\ndelete 1\r\nlist-tubes")

    client.conversation.end()

    assert client.transport.take() == b"TIMED_OUT\r\nDELETED\r\n"
    assert client.transport.is_closed
    assert other.ask(b"peek 1\r\n") == b"NOT_FOUND\r\n"


def test_many_clients_answer_each_other(core: Core) -> None:
    """Each puts the job that the next one waits for: calls don't nest for that."""
    clients = [core.client() for _ in range(3000)]
    for number, client in enumerate(clients):
        client.ask(
            b"watch t%d\r\nignore default\r\nuse t%d\r\nreserve\r\n%b"
            % (number, number + 1, PUT)
        )

    starter = core.client()
    starter.ask(b"use t0\r\n" + PUT)

    assert clients[-1].transport.take().endswith(b"INSERTED 3001\r\n")


@pytest.mark.parametrize(
    ("put", "end"),
    [
        (b"put 0 0 9 %d\r\n", b"delete %d\r\n"),
        (b"put 0 99 9 %d\r\n", b"delete %d\r\n"),
        (b"put 0 0 9 %d\r\n", b"reserve-job %d\r\ndelete %d\r\n"),
        (b"put 0 0 9 %d\r\n", b"reserve-job %d\r\nbury %d 0\r\ndelete %d\r\n"),
        (b"put 0 0 9 %d\r\n", b"reserve-job %d\r\nrelease %d 0 9\r\ndelete %d\r\n"),
    ],
    ids=["ready", "delayed", "reserved", "buried", "released"],
)
def test_body_of_a_deleted_job_is_not_kept(core: Core, put: bytes, end: bytes) -> None:
    client = core.client()
    size = 2**20 - 2
    tracemalloc.start()
    try:
        for job_id in range(1, 61):
            client.ask(put % size + bytes(size) + b"\r\n")
            assert client.ask(end.replace(b"%d", b"%d" % job_id)).endswith(
                b"DELETED\r\n"
            )
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 10 * size


def test_idle_connections_keep_no_data(core: Core) -> None:
    size = 2**20 - 2
    tracemalloc.start()
    try:
        clients = [core.client() for _ in range(60)]
        for client in clients:
            client.ask(b"put 0 0 9 %d\r\n%b\r\ndelete 1\r\n" % (size, bytes(size)))
            core.client().ask(b"".join(b"delete %d\r\n" % n for n in range(1, 61)))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 10 * size
