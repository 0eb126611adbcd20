"""Imports of buried jobs that break half-way: no job runs; each line counts once."""

import json
import subprocess
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from itertools import cycle, islice

import pytest

from jobqueue.admin.commands.importer import Importer, ImportStoppedError
from jobqueue.admin.screen.interrupts import Interrupted
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.terminal import COMMAND, environment, operate

BURIED: tuple[str, ...] = ("buried",)
MIXED: tuple[str, ...] = ("ready", "buried", "buried")


def lines(count: int, states: Iterable[str] = BURIED) -> list[bytes]:
    return [
        json.dumps({"tube": "t", "body": str(n), "state": state}).encode() + b"\n"
        for n, state in enumerate(islice(cycle(states), count))
    ]


def expected(count: int, states: Iterable[str] = BURIED) -> dict[str, int]:
    """Return the counts of the tube once all lines are imported, each once."""
    all_states = list(islice(cycle(states), count))
    return {state: all_states.count(state) for state in sorted(set(all_states))}


class Import:
    """An import in this process."""

    def __init__(self, broker: Beanstalkd, source: list[bytes], first: int = 1) -> None:
        self.importer = Importer(
            OperatorConnection(Address.parse(broker.url)), nullcontext(), first
        )
        self.error: BaseException | None = None
        try:
            for _ in self.importer.run(source):
                pass
        except (ImportStoppedError, Interrupted) as error:
            self.error = error
        finally:
            self.importer.close()

    @property
    def state(self) -> tuple[int, int, int]:
        importer = self.importer
        return importer.put, importer.next_line, importer.unconfirmed


class Fault:
    """Does harm at one call of a connection's method."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        method: str,
        call: int,
        harm: Callable[[OperatorConnection], None] | None = None,
    ) -> None:
        self._harm = harm or self.cut
        self.calls = 0
        original = getattr(OperatorConnection, method)

        def replaced(connection: OperatorConnection, *arguments: object) -> object:
            self.calls += 1
            if self.calls == call:
                self._harm(connection)
            return original(connection, *arguments)

        monkeypatch.setattr(OperatorConnection, method, replaced)

    @staticmethod
    def cut(_: OperatorConnection) -> None:
        raise ConnectionResetError("cut by the test")


def lose_reply_to_put(
    monkeypatch: pytest.MonkeyPatch, call: int, broker: Beanstalkd, puts: int
) -> None:
    """Cut the connection at a reply, when the broker has all jobs of the write.

    Else it depends on the moment how many of them the broker puts.
    """

    def cut(connection: OperatorConnection) -> None:
        eventually(lambda: sum(broker.counts("t").values()), puts)
        Fault.cut(connection)

    Fault(monkeypatch, REPLY_TO_PUT, call, cut)


# The reply to each put, the burying of each job, and the replies to that.
REPLY_TO_PUT = "_read_put"
BEFORE_BURYING = "bury"
REPLY_TO_BURYING = "_read_buried"


@pytest.mark.parametrize("states", [BURIED, MIXED], ids=["buried", "mixed"])
@pytest.mark.parametrize("call", [1, 2, 7, 30])
def test_connection_lost_in_the_burying(
    broker: Beanstalkd,
    monkeypatch: pytest.MonkeyPatch,
    states: tuple[str, ...],
    call: int,
) -> None:
    """The broker has buried the job, but its reply is lost: it is not buried twice."""
    Fault(monkeypatch, REPLY_TO_BURYING, call)
    done = Import(broker, lines(60, states))

    assert done.error is None
    assert done.state == (60, 61, 0)
    assert broker.counts("t") == expected(60, states)
    with OperatorConnection(Address.parse(broker.url)) as connection:
        jobs = [job for job in connection.jobs(range(1, 61)) if job]
    assert {job.buries for job in jobs if job.state == "buried"} == {1}


@pytest.mark.parametrize("states", [BURIED, MIXED], ids=["buried", "mixed"])
@pytest.mark.parametrize("call", [2, 7, 60])
def test_connection_lost_in_the_replies_to_the_puts(
    broker: Beanstalkd,
    monkeypatch: pytest.MonkeyPatch,
    states: tuple[str, ...],
    call: int,
) -> None:
    """Jobs whose replies are lost are found by their delay, and buried."""
    lose_reply_to_put(monkeypatch, call, broker, 60)
    source = lines(60, states)
    done = Import(broker, source)
    if done.error:  # it can't be known whether the last ready jobs were put
        put, next_line, unconfirmed = done.state
        assert states is MIXED
        assert next_line == put + 1
        assert put + unconfirmed == 60
        done = Import(broker, source, next_line + unconfirmed)

    assert broker.counts("t") == expected(60, states)


def test_first_reply_is_lost(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No id is known: the jobs are unconfirmed, and don't run for a hundred years."""
    lose_reply_to_put(monkeypatch, 1, broker, 60)
    done = Import(broker, lines(60))

    assert done.state == (0, 1, 60)
    assert broker.counts("t") == {"delayed": 60}
    with OperatorConnection(Address.parse(broker.url)) as connection:
        jobs = [job for job in connection.jobs(range(1, 61)) if job]
    assert {job.time_left // (365 * 86_400) for job in jobs} <= set(range(99, 120))


@pytest.mark.parametrize("states", [BURIED, MIXED], ids=["buried", "mixed"])
def test_broker_away_in_the_burying(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch, states: tuple[str, ...]
) -> None:
    """Only jobs before the first that is not buried count, and the others are told."""
    fault = Fault(monkeypatch, REPLY_TO_BURYING, 9)

    def kill(connection: OperatorConnection) -> None:
        broker.kill()
        fault.cut(connection)

    monkeypatch.setattr(fault, "_harm", kill)
    done = Import(broker, lines(60, states))

    line = 9 if states is BURIED else 14
    assert done.state == (line - 1, line, 60 - line + 1)
    assert str(done.error).startswith(f"line {line}: ")


def test_second_signal_in_the_burying(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(monkeypatch, BEFORE_BURYING, 9)

    def interrupt(_: OperatorConnection) -> None:
        raise Interrupted(2)

    monkeypatch.setattr(fault, "_harm", interrupt)
    done = Import(broker, lines(60))

    assert isinstance(done.error, Interrupted)
    assert done.state == (8, 9, 52)
    assert broker.counts("t") == {"buried": 8, "delayed": 52}


def test_refused_job_between_buried_ones(broker: Beanstalkd) -> None:
    big = json.dumps({"tube": "t", "body": "x" * 70_000, "state": "buried"}).encode()
    done = Import(broker, [*lines(10), big, *lines(10)])

    assert done.state == (10, 11, 0)
    assert broker.counts("t") == {"buried": 10}


@pytest.mark.parametrize("buried", [1, 40, 350])
def test_killed_in_the_burying(broker: Beanstalkd, buried: int) -> None:
    """No job that was set aside runs: what is not buried yet is delayed."""
    process = subprocess.Popen(
        [*COMMAND, "import"], stdin=subprocess.PIPE, env=environment(broker)
    )
    assert process.stdin is not None
    process.stdin.write(b"".join(lines(500)))
    process.stdin.close()
    eventually_true(lambda: broker.counts("t").get("buried", 0) >= buried)
    process.kill()
    process.wait()

    counts = broker.counts("t")
    assert sum(counts.values()) == 500
    assert counts.keys() <= {"buried", "delayed"}


def test_command_says_what_is_delayed(broker: Beanstalkd) -> None:
    """After a line that can't be put, all others are counted, and none is delayed."""
    done = operate(broker, "import", stdin=b"".join([*lines(3), b"{}\n"]))

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == (
        "Imported 3 jobs; to go on, import the same lines with --from-line 4"
    )
    assert broker.counts("t") == {"buried": 3}
