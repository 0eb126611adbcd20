"""The development server's core, with a clock that tests set."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.devserver.broker import Broker
from jobqueue.devserver.conversation import Conversation, Conversations
from jobqueue.devserver.ordering import Queue, Rotation
from jobqueue.devserver.records import SECOND


class FakeTransport:
    """A transport that keeps what is written, and notes what it is asked to do."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False
        self.is_reading = True
        self.paused: Conversation | None = None  # a conversation to pause

    def write(self, data: bytes) -> None:
        self.written += data
        if self.paused:
            self.paused.pause()

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def take(self) -> bytes:
        written, self.written = self.written, b""
        return written


class Core:
    """A broker at a time that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0
        self.conversations = Conversations(Broker(lambda: self.now, 2**20))

    def client(self) -> "Client":
        return Client(self.conversations)

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self.conversations.tick()


class Client:
    def __init__(self, conversations: Conversations) -> None:
        self.conversations = conversations
        self.transport = FakeTransport()
        self.conversation = conversations.start(self.transport)

    def ask(self, data: bytes) -> bytes:
        self.conversation.receive(data)
        self.conversations.proceed()
        return self.transport.take()


@pytest.fixture
def core() -> Core:
    return Core()


PUT = b"put 0 0 10 0\r\n\r\n"
RESERVED = b"RESERVED 1 0\r\n\r\n"


def test_a_job_whose_time_is_up_is_ready_again(core: Core) -> None:
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


def test_a_touch_puts_the_end_off(core: Core) -> None:
    client = core.client()
    client.ask(PUT + b"reserve\r\n")

    core.wait(9.9)
    assert client.ask(b"touch 1\r\n") == b"TOUCHED\r\n"
    core.wait(9.9)
    assert client.ask(b"touch 1\r\n") == b"TOUCHED\r\n"
    core.wait(10)

    assert client.ask(b"touch 1\r\n") == b"NOT_FOUND\r\n"


def test_a_client_that_waits_is_told_a_second_before_its_first_job_ends(
    core: Core,
) -> None:
    client = core.client()
    client.ask(b"put 0 0 20 0\r\n\r\n" + PUT + b"reserve\r\nreserve\r\n")
    client.ask(b"reserve-with-timeout 15\r\n")

    core.wait(8.9)
    assert client.transport.take() == b""
    core.wait(0.1)
    assert client.transport.take() == b"DEADLINE_SOON\r\n"


def test_the_shorter_of_two_waits_counts(core: Core) -> None:
    client = core.client()
    client.ask(PUT + b"reserve\r\nreserve-with-timeout 5\r\n")

    core.wait(5)

    assert client.transport.take() == b"TIMED_OUT\r\n"


def test_a_wait_that_was_too_long_is_ended_before_its_jobs_are_taken(
    core: Core,
) -> None:
    """The machine slept, say: the client can't be given its own job back."""
    client = core.client()
    client.ask(PUT + b"reserve\r\nreserve\r\n")

    core.wait(1000)

    assert client.transport.take() == b"DEADLINE_SOON\r\n"
    assert client.ask(b"peek-ready\r\n") == b"FOUND 1 0\r\n\r\n"


def test_delays_and_pauses_end_in_the_order_of_time(core: Core) -> None:
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


def test_the_next_moment_is_known(core: Core) -> None:
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


def test_a_paused_tube_that_vanishes_leaves_nothing_to_be_done(core: Core) -> None:
    client = core.client()
    client.ask(b"use a\r\npause-tube a 20\r\nuse default\r\n")

    assert core.conversations.broker.next_tick() is None


def test_nothing_is_executed_for_a_client_that_does_not_read(core: Core) -> None:
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


def test_a_client_that_waits_is_received_from_up_to_a_limit(core: Core) -> None:
    client, other = core.client(), core.client()
    client.ask(b"reserve\r\n")

    client.ask(b"list-tube-used\r\n" * 1000)
    assert client.transport.is_reading
    client.ask(b"list-tube-used\r\n" * 100_000)
    assert not client.transport.is_reading

    other.ask(PUT)
    assert client.transport.is_reading
    assert client.transport.take().count(b"USING") == 101_000


def test_a_half_closed_client_executes_what_came_before(core: Core) -> None:
    client, other = core.client(), core.client()
    client.ask(PUT + b"reserve\r\nreserve\r\ndelete 1\r\nlist-tubes")

    client.conversation.end()

    assert client.transport.take() == b"TIMED_OUT\r\nDELETED\r\n"
    assert client.transport.is_closed
    assert other.ask(b"peek 1\r\n") == b"NOT_FOUND\r\n"


def test_many_clients_that_wait_can_answer_each_other(core: Core) -> None:
    """Each puts what the next one waits for: no call goes deeper for that."""
    clients = [core.client() for _ in range(3000)]
    for number, client in enumerate(clients):
        client.ask(
            b"watch t%d\r\nignore default\r\nuse t%d\r\nreserve\r\n%b"
            % (number, number + 1, PUT)
        )

    starter = core.client()
    starter.ask(b"use t0\r\n" + PUT)

    assert clients[-1].transport.take().endswith(b"INSERTED 3001\r\n")


KEYS = st.integers(0, 5)
STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 9), KEYS), max_size=300)


@given(STEPS)
def test_a_queue_has_the_smallest_key_first(
    steps: Iterable[tuple[bool, int, int]],
) -> None:
    queue: Queue[str] = Queue()
    model: dict[str, tuple[int, int]] = {}
    for is_added, number, key in steps:
        item = f"item {number}"
        if is_added:
            queue.add(item, (key, number))
            model[item] = (key, number)
        else:
            queue.discard(item)
            model.pop(item, None)

        first = min(model, key=lambda item: model[item], default=None)
        assert queue.first() == first
        assert queue.first_key() == (model[first][0] if first else None)
        assert len(queue) == len(model)


def test_a_queue_does_not_grow_by_what_was_moved() -> None:
    queue: Queue[str] = Queue()
    queue.add("always first", (-1, 0))
    for key in range(10_000):
        queue.add("moved", (key % 7, 1))
        if key % 3 == 0:
            queue.discard("moved")

    assert len(queue._heap) < 100


@given(st.lists(st.one_of(st.none(), st.integers(0, 9))))
def test_a_rotation_is_a_list_whose_last_takes_the_place_of_one_that_leaves(
    steps: Iterable[int | None],
) -> None:
    rotation: Rotation[int] = Rotation()
    model: list[int] = []
    turn = 0
    for item in steps:
        if item is None and model:
            turn %= len(model)
            assert rotation.take() == model[turn]
            model[turn] = model[-1]
            model.pop()
            turn += 1
        elif item in model:
            rotation.discard(item)
            model[model.index(item)] = model[-1]
            model.pop()
        elif item is not None:
            rotation.append(item)
            model.append(item)

        assert list(rotation) == model
        assert all(item in rotation for item in model)


def test_a_rotation_that_is_empty_has_nothing_to_take() -> None:
    with pytest.raises(IndexError):
        Rotation[int]().take()
