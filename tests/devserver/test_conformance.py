"""beanstalkd 1.12 and the development server answer the same, byte for byte."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.devserver.conversations import ASK, CONVERSATIONS, USING
from tests.helpers.raw_client import RawClient, converse
from tests.helpers.servers import (
    SERVERS,
    Server,
    eventually,
    eventually_true,
    server_of,
)


@pytest.mark.parametrize("pieces", [None, 1], ids=["in one write", "byte by byte"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_goes_as_on_the_real_one(
    server: Server, name: str, pieces: int | None
) -> None:
    sent, expected = CONVERSATIONS[name]
    if pieces and len(sent) > 10_000:
        pieces = 1000

    assert converse(server.target, sent, pieces) == expected


def test_the_answers_to_many_commands_in_one_write_come_in_order(
    server: Server,
) -> None:
    commands = b"".join(b"use t%d\r\n" % number for number in range(5000))
    expected = b"".join(b"USING t%d\r\n" % number for number in range(5000))

    with RawClient(server.target) as client:
        client.send(commands)

        assert client.end_and_rest() == expected


def test_a_client_that_does_not_read_is_answered_when_it_does(
    client: RawClient, other: RawClient
) -> None:
    job_id = client.put(bytes(60_000))
    count = 1000
    client.send(b"peek %d\r\n" % job_id * count)
    assert other.ask(b"list-tube-used") == USING  # the server goes on with others

    expected = b"FOUND %d 60000\r\n%b\r\n" % (job_id, bytes(60_000))
    assert client.end_and_rest() == expected * count


def test_commands_behind_a_reserve_are_executed_when_it_is_answered(
    client: RawClient, other: RawClient
) -> None:
    client.send(b"reserve\r\ndelete 1\r\nuse a\r\nreserve\r\n")
    eventually(lambda: other.stats()["current-waiting"], "1")
    assert other.ask(b"list-tubes") == b"OK 14\r\n---\n- default\n\r\n"

    other.put(b"hello")

    replies = [client.reply() for _ in range(3)]
    assert replies == [b"RESERVED 1 5\r\nhello\r\n", b"DELETED\r\n", b"USING a\r\n"]
    eventually(lambda: other.stats()["current-waiting"], "1")


def test_a_client_may_wait_with_many_commands_behind_its_reserve(
    client: RawClient, other: RawClient
) -> None:
    client.send(b"reserve\r\n" + b"list-tube-used\r\n" * 10_000)
    eventually(lambda: other.stats()["current-waiting"], "1")

    other.put(b"hello")

    assert client.end_and_rest() == b"RESERVED 1 5\r\nhello\r\n" + USING * 10_000


def test_waiting_clients_are_served_by_turns(server: Server, client: RawClient) -> None:
    """The turn goes round the places, and the last takes that of one who left."""
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


def test_a_job_goes_to_a_client_that_watches_its_tube(
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


def test_a_reserved_job_is_its_clients_alone(
    client: RawClient, other: RawClient
) -> None:
    client.put()
    client.ask(b"reserve")

    replies = other.asks(
        b"delete 1", b"release 1 0 0", b"bury 1 0", b"touch 1", b"reserve-job 1"
    )

    assert replies == [b"NOT_FOUND\r\n"] * 5


@pytest.mark.parametrize("end", ["quit", "close", "half-close"])
def test_what_a_client_had_reserved_is_ready_again_when_it_leaves(
    client: RawClient, other: RawClient, end: str
) -> None:
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


def test_a_client_that_vanished_while_it_waited_gets_no_job(
    client: RawClient, other: RawClient, third: RawClient
) -> None:
    client.send(b"reserve\r\n")
    eventually(lambda: other.stats()["current-waiting"], "1")
    client.close()
    eventually(lambda: other.stats()["current-waiting"], "0")

    other.put(b"hello")

    assert third.ask(b"reserve") == b"RESERVED 1 5\r\nhello\r\n"


def test_a_client_that_vanished_within_a_body_leaves_no_job(
    client: RawClient, other: RawClient
) -> None:
    other.ask(b"watch a")
    client.send(b"put 0 0 100 10\r\nhel")
    eventually(lambda: other.stats()["cmd-put"], "1")
    client.close()
    eventually(lambda: other.stats()["current-connections"], "1")

    assert other.ask(b"peek 1") == b"NOT_FOUND\r\n"
    assert other.stats()["total-jobs"] == "0"
    assert other.put() == 2


def test_a_job_whose_body_has_not_come_yet_is_invalid(
    client: RawClient, other: RawClient
) -> None:
    client.send(b"put 0 0 100 10\r\nhel")
    eventually(lambda: other.stats()["cmd-put"], "1")

    assert other.stats(b"stats-job 1")["state"] == "invalid"
    replies = other.asks(b"delete 1", b"kick-job 1", b"reserve-job 1", b"touch 1")
    assert replies == [b"NOT_FOUND\r\n"] * 4


def test_a_tube_vanishes_with_the_last_client_that_needs_it(
    client: RawClient, other: RawClient
) -> None:
    client.asks(b"use a", b"watch b", b"watch c", b"watch d")
    other.ask(b"watch c")

    client.close()

    eventually(lambda: other.ask(b"list-tubes"), b"OK 18\r\n---\n- default\n- c\n\r\n")


def test_a_pause_of_no_time_ends_the_one_before(
    client: RawClient, other: RawClient
) -> None:
    client.put()
    client.ask(b"pause-tube default 100")
    other.send(b"reserve\r\n")
    eventually(lambda: client.stats()["current-waiting"], "1")

    assert client.ask(b"pause-tube default 0") == b"PAUSED\r\n"

    assert other.reply() == b"RESERVED 1 0\r\n\r\n"


def test_tubes_leave_the_list_in_the_order_in_which_a_client_lets_them_go(
    client: RawClient, other: RawClient
) -> None:
    client.asks(b"watch a", b"watch b", b"watch c", b"use d")
    other.asks(b"watch e", b"watch f", b"watch g")

    client.close()

    expected = ["- default", "- e", "- f", "- g"]
    eventually(lambda: other.yaml(b"list-tubes"), expected)


def test_a_tube_is_made_before_the_one_used_so_far_vanishes(
    client: RawClient, other: RawClient
) -> None:
    client.ask(b"use a")
    other.ask(b"watch b")

    client.ask(b"use c")

    assert other.yaml(b"list-tubes") == ["- default", "- c", "- b"]


def test_a_draining_server_takes_no_jobs(server: Server, client: RawClient) -> None:
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
def test_a_server_can_be_told_how_large_a_job_may_be(
    socket_folder: Path, kind: str
) -> None:
    with server_of(kind, socket_folder, max_job_size=3) as server:
        sent = b"put 0 0 1 3\r\nabc\r\nput 0 0 1 4\r\nabcd\r\n" + ASK

        assert converse(server.target, sent) == b"INSERTED 1\r\nJOB_TOO_BIG\r\n" + USING
        with RawClient(server.target) as client:
            assert client.stats()["max-job-size"] == "3"


def test_the_statistics_of_a_job_have_these_keys_in_this_order(
    client: RawClient,
) -> None:
    client.asks(b"use a", b"put 7 100 0 1\r\nx")

    lines = [
        "id: 1",
        "tube: a",
        "state: delayed",
        "pri: 7",
        "age: ?",
        "delay: 100",
        "ttr: 1",
        "time-left: ?",
        "file: 0",
        "reserves: 0",
        "timeouts: 0",
        "releases: 0",
        "buries: 0",
        "kicks: 0",
    ]
    assert client.yaml(b"stats-job 1") == lines


def test_the_statistics_of_a_job_count_what_became_of_it(client: RawClient) -> None:
    client.ask(b"put 7 0 100 0\r\n")

    def counted(*commands: bytes) -> tuple[str, ...]:
        client.asks(*commands)
        stats = client.stats(b"stats-job 1")
        keys = "state", "pri", "delay", "reserves", "releases", "buries", "kicks"
        return tuple(stats[key] for key in keys)

    assert counted() == ("ready", "7", "0", "0", "0", "0", "0")
    assert counted(b"reserve") == ("reserved", "7", "0", "1", "0", "0", "0")
    released = counted(b"release 1 8 100")
    assert released == ("delayed", "8", "100", "1", "1", "0", "0")
    assert counted(b"kick 1") == ("ready", "8", "100", "1", "1", "0", "1")
    buried = counted(b"reserve-job 1", b"bury 1 9")
    assert buried == ("buried", "9", "100", "2", "1", "1", "1")
    assert counted(b"kick-job 1") == ("ready", "9", "100", "2", "1", "1", "2")


def test_the_statistics_of_a_tube_have_these_keys_in_this_order(
    client: RawClient, other: RawClient
) -> None:
    client.asks(b"use a", b"watch a", b"ignore default")
    other.asks(b"watch a")
    for priority in (0, 1023, 1024, 5, 5, 5):
        client.put(priority=priority)
    client.put(delay=100)
    client.asks(b"reserve", b"bury 1 0", b"reserve", b"delete 2", b"pause-tube a 1000")
    other.send(b"reserve\r\n")
    eventually(lambda: client.stats()["current-waiting"], "1")

    lines = [
        "name: a",
        "current-jobs-urgent: 2",
        "current-jobs-ready: 3",
        "current-jobs-reserved: 1",
        "current-jobs-delayed: 1",
        "current-jobs-buried: 1",
        "total-jobs: 7",
        "current-using: 1",
        "current-watching: 2",
        "current-waiting: 1",
        "cmd-delete: 1",
        "cmd-pause-tube: 1",
        "pause: 1000",
        "pause-time-left: ?",
    ]
    assert client.yaml(b"stats-tube a") == lines


STATS_KEYS = [
    "current-jobs-urgent",
    "current-jobs-ready",
    "current-jobs-reserved",
    "current-jobs-delayed",
    "current-jobs-buried",
    "cmd-put",
    "cmd-peek",
    "cmd-peek-ready",
    "cmd-peek-delayed",
    "cmd-peek-buried",
    "cmd-reserve",
    "cmd-reserve-with-timeout",
    "cmd-delete",
    "cmd-release",
    "cmd-use",
    "cmd-watch",
    "cmd-ignore",
    "cmd-bury",
    "cmd-kick",
    "cmd-touch",
    "cmd-stats",
    "cmd-stats-job",
    "cmd-stats-tube",
    "cmd-list-tubes",
    "cmd-list-tube-used",
    "cmd-list-tubes-watched",
    "cmd-pause-tube",
    "job-timeouts",
    "total-jobs",
    "max-job-size",
    "current-tubes",
    "current-connections",
    "current-producers",
    "current-workers",
    "current-waiting",
    "total-connections",
    "pid",
    "version",
    "rusage-utime",
    "rusage-stime",
    "uptime",
    "binlog-oldest-index",
    "binlog-current-index",
    "binlog-records-migrated",
    "binlog-records-written",
    "binlog-max-size",
    "draining",
    "id",
    "hostname",
    "os",
    "platform",
]


def test_the_statistics_of_the_server_have_these_keys_in_this_order(
    client: RawClient,
) -> None:
    assert list(client.stats()) == STATS_KEYS


def test_the_statistics_of_the_server_name_it_as_clients_expect(
    client: RawClient,
) -> None:
    stats = client.stats()

    assert stats["version"].startswith("1.12")
    assert stats["pid"].isdigit()
    assert len(bytes.fromhex(stats["id"])) == 8
    assert stats["hostname"] == socket.gethostname()
    assert float(stats["rusage-utime"]) >= 0
    assert [len(stats[f"rusage-{kind}time"].partition(".")[2]) for kind in "us"] == [
        6,
        6,
    ]


def changes(client: RawClient, act: Callable[[], object]) -> dict[str, int]:
    """Return by how much something changes what the server counts, but for zeros."""

    def counts() -> dict[str, int]:
        return {k: int(value) for k, value in client.stats().items() if value.isdigit()}

    before = counts()
    act()
    after = counts()
    after["cmd-stats"] -= 1
    found = {key: after[key] - before[key] for key in before if key != "uptime"}
    return {key: change for key, change in found.items() if change}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (b"use a", {"cmd-use": 1, "current-tubes": 1}),
        (b"use default", {"cmd-use": 1}),
        (b"use -a", {}),
        (b"watch a", {"cmd-watch": 1, "current-tubes": 1}),
        (b"ignore default", {"cmd-ignore": 1}),
        (b"peek 1", {"cmd-peek": 1}),
        (b"peek x", {}),
        (b"peek-ready", {"cmd-peek-ready": 1}),
        (b"peek-delayed", {"cmd-peek-delayed": 1}),
        (b"peek-buried", {"cmd-peek-buried": 1}),
        (b"peek-buried x", {}),
        (b"delete 1", {"cmd-delete": 1}),
        (b"release 1 0 0", {"cmd-release": 1}),
        (b"bury 1 0", {"cmd-bury": 1}),
        (b"touch 1", {"cmd-touch": 1}),
        (b"kick 1", {"cmd-kick": 1}),
        (b"kick x", {}),
        (b"kick-job 1", {}),
        (b"reserve-job 1", {}),
        (b"stats", {"cmd-stats": 1}),
        (b"stats-job 1", {"cmd-stats-job": 1}),
        (b"stats-tube a", {"cmd-stats-tube": 1}),
        (b"list-tubes", {"cmd-list-tubes": 1}),
        (b"list-tube-used", {"cmd-list-tube-used": 1}),
        (b"list-tubes-watched", {"cmd-list-tubes-watched": 1}),
        (b"pause-tube a 1", {"cmd-pause-tube": 1}),
        (b"pause-tube -a 1", {"cmd-pause-tube": 1}),
        (b"reserve-with-timeout 0", {"cmd-reserve-with-timeout": 1}),
        (b"put 0 0 1 65536\r\n%b" % bytes(65536), {"cmd-put": 1}),
        (b"put 0 0 1 -1", {}),
        (b"put 0 0 1 0 0", {"cmd-put": 1}),
        (b"hello", {}),
    ],
)
def test_a_command_that_does_nothing_is_counted_or_not(
    client: RawClient, other: RawClient, command: bytes, expected: dict[str, int]
) -> None:
    workers = {"current-workers": 1} if command.startswith(b"reserve-w") else {}

    assert changes(other, lambda: client.ask(command)) == expected | workers


def test_jobs_are_counted_by_their_state(client: RawClient, other: RawClient) -> None:
    def changed_by(*commands: bytes) -> dict[str, int]:
        return changes(other, lambda: client.asks(*commands))

    assert changed_by(b"put 0 0 100 0\r\n") == {
        "current-jobs-urgent": 1,
        "current-jobs-ready": 1,
        "cmd-put": 1,
        "total-jobs": 1,
        "current-producers": 1,
    }
    assert changed_by(b"put 1024 0 100 0\r\n") == {
        "current-jobs-ready": 1,
        "cmd-put": 1,
        "total-jobs": 1,
    }
    assert changed_by(b"reserve") == {
        "current-jobs-urgent": -1,
        "current-jobs-ready": -1,
        "current-jobs-reserved": 1,
        "cmd-reserve": 1,
        "current-workers": 1,
    }
    assert changed_by(b"release 1 0 100") == {
        "current-jobs-reserved": -1,
        "current-jobs-delayed": 1,
        "cmd-release": 1,
    }
    assert changed_by(b"reserve-job 1", b"bury 1 0") == {
        "current-jobs-delayed": -1,
        "current-jobs-buried": 1,
        "cmd-bury": 1,
    }
    assert changed_by(b"kick 1") == {
        "current-jobs-buried": -1,
        "current-jobs-ready": 1,
        "current-jobs-urgent": 1,
        "cmd-kick": 1,
    }
    assert changed_by(b"delete 1") == {
        "current-jobs-ready": -1,
        "current-jobs-urgent": -1,
        "cmd-delete": 1,
    }


def test_clients_are_counted_by_what_they_do(server: Server, other: RawClient) -> None:
    def come_and_go() -> None:
        for command in (b"put 0 0 100 0\r\n", b"reserve", b"reserve-job 2"):
            with RawClient(server.target) as client:
                client.ask(command)
        eventually(lambda: other.stats()["current-connections"], "1")

    found = changes(other, come_and_go)

    assert found["total-connections"] == 3
    assert "current-producers" not in found
    assert "current-workers" not in found
    assert "current-connections" not in found


def test_garbage_harms_nobody_else(client: RawClient, other: RawClient) -> None:
    client.send(bytes(range(256)) * 500 + b"\r\n" * 3)
    client.end()
    while client.reply():
        pass

    assert other.ask(b"list-tube-used") == USING


def test_a_client_that_leaves_in_the_middle_of_its_answers_harms_nobody_else(
    client: RawClient, other: RawClient
) -> None:
    job_id = client.put(bytes(60_000))
    client.send(b"peek %d\r\n" % job_id * 100)
    eventually_true(client.has_answer)
    client.close()

    eventually(lambda: other.stats()["current-connections"], "1")
    assert other.ask(b"delete %d" % job_id) == b"DELETED\r\n"
