"""Random commands from several connections, to beanstalkd and the development server.

Each example has servers of its own, which start in some hundredths of a second: so job
ids start at 1, and every count can be compared.
"""

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic_ns

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from jobqueue.devserver.broker import Broker
from jobqueue.devserver.conversation import Conversation, Conversations
from jobqueue.devserver.foreign import protocol_of, protocol_of_start
from jobqueue.devserver.records import MAX_JOB_SIZE
from tests.helpers.raw_client import RawClient, comparable, read_reply
from tests.helpers.servers import (
    DEVELOPMENT,
    REAL,
    eventually,
    require_beanstalkd,
    server_of,
)

CONNECTIONS = 6
BUSY = 2  # connections that never wait, so that they can put jobs for the others
TUBES = [b"default", b"a", b"b", b"c"]

# Long enough that nothing becomes due within an example: only the order matters.
SECONDS = [100, 200, 1000]
PRIORITIES = [0, 1, 1023, 1024, 2**32 - 1]


def put_command(priority: int, delay: int, ttr: int, body: bytes) -> bytes:
    return b"put %d %d %d %d\r\n%b\r\n" % (priority, delay, ttr, len(body), body)


def too_large_a_put() -> bytes:
    return put_command(0, 0, 100, bytes(MAX_JOB_SIZE + 1))


def is_comparable(odd: bytes) -> bool:
    """Return whether both servers answer it, at once.

    The development server closes a connection that speaks another protocol. Any byte
    may be the first that it looks at, after a line that is too long.
    """
    return not re.search(b"quit|reserve", odd) and not any(
        protocol_of(line[at:]) or protocol_of_start(line[at:])
        for line in odd.split(b"\r\n")
        for at in range(len(line))
    )


PUTS = [
    put_command(priority, delay, ttr, body)
    for priority in PRIORITIES
    for delay in (0, 0, 0, *SECONDS)
    for ttr in SECONDS
    for body in (b"", b"a\r\nb\r\n", b"x" * 225)
]
BY_ID = [
    b"%b %d\r\n" % (name, n)
    for name in (b"reserve-job", b"delete", b"kick-job", b"peek", b"stats-job")
    for n in range(1, 30)
]
BY_TUBE = [
    b"%b %b\r\n" % (name, tube)
    for name in (b"use", b"watch", b"ignore", b"stats-tube")
    for tube in TUBES
]
OTHERS = [
    *(
        b"pause-tube %b %d\r\n" % (tube, seconds)
        for tube in TUBES
        for seconds in SECONDS
    ),
    *(b"kick %d\r\n" % bound for bound in range(-1, 4)),
    b"peek-ready\r\n",
    b"peek-delayed\r\n",
    b"peek-buried\r\n",
    b"list-tubes\r\n",
    b"list-tubes-watched\r\n",
    b"hello\r\n",
]
RESERVE = [b"reserve-with-timeout 0\r\n"]
ODD_COMMANDS = st.one_of(
    st.just(b"put 0 -1 1 8\r\ndelete 1\r\n"),
    st.just(b"put 0 0 1 1\r\nabc"),
    st.builds(too_large_a_put),
    # Hypothesis draws words from the server's code.
    st.binary(max_size=300).filter(is_comparable),
    st.text("\r\n 019", max_size=300).map(str.encode),
)
NUMBERS = st.integers(0, CONNECTIONS - 1)
# Commands are not drawn one by one: Hypothesis draws few large examples.
RANDOMS = st.integers(0, 2**32).map(Random)
PIECES = st.sampled_from([None, None, 7, 1000])
# Nothing follows a command that may wait: when it would be executed is not defined.
# Nothing follows the end of a pause, either: beanstalkd's clock has microseconds, so it
# may see that end before or after the next command.
LAST_COMMANDS = st.sampled_from(
    [
        b"",
        b"reserve\r\n",
        b"reserve-with-timeout 1000\r\n",
        *(b"pause-tube %b 0\r\n" % tube for tube in TUBES),
    ]
)


def random_commands(random: Random, held: list[int]) -> Iterator[bytes]:
    """Yield some commands, of every kind."""
    for _ in range(random.randint(1, 20)):
        kinds = PUTS, RESERVE, settling_commands(held), BY_ID, BY_TUBE, OTHERS
        (kind,) = random.choices(kinds, weights=(5, 4, 4, 3, 2, 1))
        yield random.choice(kind)


def settling_commands(held: list[int]) -> list[bytes]:
    """Return the commands about jobs that a connection has reserved."""
    return [
        template % job_id
        for job_id in held or [1]
        for template in (
            b"delete %d\r\n",
            b"touch %d\r\n",
            b"release %d 1 0\r\n",
            b"release %d 1024 100\r\n",
            b"bury %d 1\r\n",
        )
    ]


class FakeTransport:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self._data = b""

    def write(self, data: bytes) -> None:
        self._data += data

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def replies(self) -> Iterator[bytes]:
        """Yield the replies since the last call."""
        file = io.BytesIO(self._data)
        self._data = b""
        while reply := read_reply(file):
            yield reply


class Connection:
    """One connection to each server, and one to a core without sockets.

    The core answers at once, so its replies show how many to wait for from the servers.
    """

    def __init__(
        self, real: RawClient, ours: RawClient, conversations: Conversations
    ) -> None:
        self.real = real
        self.ours = ours
        self._conversations = conversations
        self._transport = FakeTransport()
        self.conversation: Conversation = conversations.start(self._transport)

    def send(self, data: bytes, in_pieces_of: int | None = None) -> None:
        self._conversations.tick()
        self.conversation.receive(data)
        self._conversations.proceed()
        self.real.send(data, in_pieces_of)
        self.ours.send(data, in_pieces_of)

    def compare(self) -> None:
        for core in self._transport.replies():
            expected = comparable(self.real.reply())
            assert expected == comparable(self.ours.reply())
            assert expected == comparable(core)

    def compare_to_the_end(self) -> None:
        self._conversations.tick()
        self.conversation.end()
        self._conversations.proceed()
        self.real.end()
        self.ours.end()
        self.compare()
        assert self.real.rest() == b""
        assert self.ours.rest() == b""

    def close(self) -> None:
        self.conversation.close()
        self._conversations.proceed()
        self.real.close()
        self.ours.close()

    def held(self) -> list[int]:
        return [job.id for job in self.conversation._client.reserved]

    @property
    def waits(self) -> bool:
        return self.conversation._client.is_waiting


class BothServers(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="jq-")))
        self._real = self._stack.enter_context(server_of(REAL, folder))
        self._ours = self._stack.enter_context(server_of(DEVELOPMENT, folder))
        self._conversations = Conversations(Broker(monotonic_ns, MAX_JOB_SIZE))
        self._control = self._connect()
        self._connections = [self._connect() for _ in range(CONNECTIONS)]

    def _connect(self) -> Connection:
        """Connect to both servers and the core, in the same order each time."""
        connection = Connection(
            RawClient(self._real.target),
            RawClient(self._ours.target),
            self._conversations,
        )
        connection.send(b"list-tube-used\r\n")
        connection.compare()
        return connection

    @rule(number=NUMBERS, random=RANDOMS, last=LAST_COMMANDS, pieces=PIECES)
    def send(
        self, number: int, random: Random, last: bytes, pieces: int | None
    ) -> None:
        connection = self._connections[number]
        if number < BUSY and last.startswith(b"reserve"):
            last = b""
        if not connection.waits:
            commands = b"".join(random_commands(random, connection.held())) + last
            note(f"{number} sends {commands!r}")
            connection.send(commands, pieces)

    @rule(random=RANDOMS)
    def send_from_all(self, random: Random) -> None:
        for number in range(CONNECTIONS):
            self.send(number, random, b"", None)
            self._compare()

    @rule(numbers=st.permutations(range(BUSY, CONNECTIONS)), count=st.integers(1, 4))
    def wait(self, numbers: list[int], count: int) -> None:
        """Have some connections wait for a job, one after the other."""
        for number in numbers[:count]:
            connection = self._connections[number]
            if not connection.waits:
                connection.send(b"reserve\r\n")
                self._compare()

    @rule(tubes=st.lists(st.sampled_from(TUBES), min_size=2, max_size=6))
    def serve(self, tubes: list[bytes]) -> None:
        """Put jobs for the connections that wait."""
        put = put_command(0, 0, 100, b"")
        commands = [b"use %b\r\n%b" % (tube, put) for tube in tubes]
        self._connections[0].send(b"".join(commands))

    @rule(number=NUMBERS, commands=st.lists(ODD_COMMANDS, max_size=5), pieces=PIECES)
    def be_odd(self, number: int, commands: list[bytes], pieces: int | None) -> None:
        connection = self._connections[number]
        if not connection.waits:
            connection.send(b"\r\n".join([*commands, b""]), pieces)

    @rule(number=NUMBERS, is_sudden=st.booleans())
    def leave(self, number: int, is_sudden: bool) -> None:
        if not is_sudden:
            self._connections[number].compare_to_the_end()
        self._connections[number].close()
        self._compare()  # both servers have seen the end before the next one connects
        self._connections[number] = self._connect()

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "_control"):
            self._compare()

    def _compare(self) -> None:
        """Compare the replies so far, and then all counts."""
        self._conversations.tick()
        for connection in self._connections:
            connection.compare()
        core = self._core_counts()
        eventually(lambda: counts(self._control.real), core)
        eventually(lambda: counts(self._control.ours), core)
        job_ids = 1, *self._conversations.broker._jobs
        jobs = [b"stats-job %d\r\n" % job_id for job_id in job_ids]
        tubes = [b"stats-tube %b\r\n" % name for name in TUBES]
        self._control.send(b"".join([*jobs, *tubes, b"list-tubes\r\n"]))
        self._control.compare()

    def _core_counts(self) -> dict[str, str]:
        self._control.conversation.receive(b"stats\r\n")
        (reply,) = self._control._transport.replies()
        return parsed(reply)

    def teardown(self) -> None:
        if not hasattr(self, "_stack"):
            return
        for connection in [self._control, *self._connections]:
            connection.close()
        self._stack.close()


def counts(client: RawClient) -> dict[str, str]:
    return parsed(client.ask(b"stats"))


def parsed(reply: bytes) -> dict[str, str]:
    lines = comparable(reply).decode().splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (b"", True),
        (b"host", True),
        (b"HTTP/1.1", True),
        (b"host:", False),
        (b"hello\r\nHost: x", False),
        (b"x" * 224 + b"host:", False),
        (b"hello\r\nx / HTTP/1.1\r\n", False),
        (b"GET " + b"x" * 224, False),
        (b"\x16\x03", False),
        (b"quit", False),
        (b"reserve", False),
    ],
)
def test_odd_commands_are_those_that_both_servers_answer(
    odd: bytes, *, expected: bool
) -> None:
    assert is_comparable(odd) is expected


@pytest.mark.usefixtures("_each_beanstalkd")
@pytest.mark.thorough
def test_random_commands() -> None:
    require_beanstalkd()
    run_state_machine_as_test(
        BothServers,
        settings=settings(
            max_examples=10,
            stateful_step_count=20,
            # No shrinking: waiting for a missing reply takes long.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
