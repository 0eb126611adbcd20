"""The statistics of beanstalkd and of the development server."""

import re
import socket
from collections.abc import Callable

import pytest

from tests.helpers.beanstalkds import version_of
from tests.helpers.raw_client import RawClient
from tests.helpers.servers import (
    DEVELOPMENT,
    Server,
    eventually,
    has_behaviour_of,
)


def test_keys_of_a_job(
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


def test_counts_of_a_job(client: RawClient) -> None:
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


def test_keys_of_a_tube(client: RawClient, other: RawClient) -> None:
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


def test_strings_are_quoted(server: Server, client: RawClient) -> None:
    """By 1.13 and the development server; before, only the version was.

    The state, ``draining`` and the server's id are in no quotes on any version.
    """
    job_id = client.put()
    reply = b"".join(
        client.asks(b"stats", b"stats-tube default", b"stats-job %d" % job_id)
    )
    quoted = re.findall(rb'^([a-z]+): "[^"]+"$', reply, re.MULTILINE)

    if has_behaviour_of("1.13", server):
        strings = [b"version", b"hostname", b"os", b"platform", b"name", b"tube"]
        assert quoted == strings
    else:
        assert quoted == [b"version"]
    assert reply.count(b'"') == 2 * len(quoted)


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


def test_keys_of_the_server(
    client: RawClient,
) -> None:
    assert list(client.stats()) == STATS_KEYS


def test_version_and_names_of_the_server(
    request: pytest.FixtureRequest, client: RawClient
) -> None:
    stats = client.stats()

    kind = request.node.callspec.params["server"]
    version = "1.13+jobqueue" if kind == DEVELOPMENT else version_of(kind)
    assert stats["version"] == version
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
def test_counted_commands(
    client: RawClient, other: RawClient, command: bytes, expected: dict[str, int]
) -> None:
    """A command without effect is counted, unless beanstalkd does not count it."""
    workers = {"current-workers": 1} if command.startswith(b"reserve-w") else {}

    assert changes(other, lambda: client.ask(command)) == expected | workers


def test_jobs_are_counted_by_state(client: RawClient, other: RawClient) -> None:
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


def test_clients_are_counted(server: Server, other: RawClient) -> None:
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
