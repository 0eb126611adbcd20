"""stats, list and show: they print, and change nothing."""

import json
from typing import Any

import pytest

from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    body,
    json_lines,
    operate,
    operate_json,
    put,
    put_buried,
)


def columns(line: str) -> list[str]:
    return line.split()


def test_stats(broker: Beanstalkd) -> None:
    put(broker, 3)
    put(broker, 2, delay=100)
    put_buried(broker, 1)
    put(broker, 1, "u")
    operate(broker, "pause", "u", 90)

    done = operate(broker, "stats", "t", "u")
    values = operate_json(broker, "stats")

    head, t, u, _, server = done.stdout.splitlines()
    titles = "TUBE READY DELAYED RESERVED BURIED WATCH WAIT PUTS PAUSED NOTED"
    assert columns(head) == titles.split()
    assert columns(t) == ["t", "3", "2", "0", "1", "0", "0", "6", "-", "0"]
    assert columns(u)[:-2] == ["u", "1", "0", "0", "0", "0", "0", "1", "1m"]
    assert server.startswith(f"beanstalkd {broker.version()}")
    assert server.endswith("no binlog, not draining, jobs of up to 65,535 bytes")
    assert [tube["tube"] for tube in values["tubes"]] == ["default", "t", "u"]
    assert values["server"]["ready"] == 4
    assert values["server"]["has_binlog"] is False
    assert values["tubes"][1] == {
        "tube": "t",
        "ready": 3,
        "delayed": 2,
        "reserved": 0,
        "buried": 1,
        "urgent": 0,
        "watching": 0,
        "waiting": 0,
        "puts": 6,
        "deletes": 0,
        "paused": 0,
        "failures_noted": 0,
        "failures": 0,
    }


def test_stats_with_a_missing_tube(broker: Beanstalkd) -> None:
    """The others are shown all the same."""
    put(broker)

    done = operate(broker, "stats", "t", "nope")

    assert done.returncode == 1
    assert "\nt " in done.stdout
    assert "has no tube 'nope'" in done.stderr


def test_list_shows_every_state(broker: Beanstalkd) -> None:
    (ready,) = put(broker, 1, priority=0)
    (delayed,) = put(broker, 1, delay=3600)
    (buried,) = put_buried(broker, 1)
    (reserved,) = put(broker, 1, priority=0, ttr=90)
    with broker.client("t") as client:
        client.reserve_job(reserved)

        done = operate(broker, "list", "t")
        values = json_lines(operate(broker, "list", "t", "--json").stdout)

    head, *lines = done.stdout.splitlines()
    titles = "ID STATE AGE LEFT CALL PRI RES TMO REL BUR KIC"
    assert columns(head) == titles.split()
    found = {int(columns(line)[0]): columns(line) for line in lines}
    assert sorted(found) == sorted([ready, delayed, buried, reserved])
    assert found[ready][1:2] + found[ready][3:] == (
        ["ready", "-", "send", "n=0", "0", "0", "0", "0", "0", "0"]
    )
    assert found[buried][3:] == ["-", "send", "n=0", "7", "1", "0", "0", "1", "0"]
    assert found[delayed][3] in {"59m", "1h"}
    assert [job["state"] for job in values] == [
        "ready",
        "delayed",
        "buried",
        "reserved",
    ]
    assert values[0]["func_name"] == "send"
    assert values[0]["kwargs"] == {"n": 0}
    assert values[3]["time_left"] in range(60, 91)


def test_list_options(broker: Beanstalkd) -> None:
    put(broker, 5)
    put_buried(broker, 5)
    put(broker, 5, delay=99)

    def states(*options: object) -> list[str]:
        lines = operate(broker, "list", "t", "--json", *options).stdout
        return sorted(job["state"] for job in json_lines(lines))

    assert states("--state", "buried") == ["buried"] * 5
    both = states("--state", "buried", "--state", "delayed")
    assert both == ["buried"] * 5 + ["delayed"] * 5
    assert states("--state", "ready", "--limit", 3) == ["ready"] * 3
    assert states("--state", "reserved") == []


def test_list_of_thousands(broker: Beanstalkd) -> None:
    expected = put(broker, 1000)
    put(broker, 1000, "other")
    expected += put(broker, 1000, delay=1000)

    done = operate(broker, "list", "t", "--json")
    table = operate(broker, "list", "t")
    longer = operate(broker, "list", "t", "--limit", 3000)

    assert [job["id"] for job in json_lines(done.stdout)] == expected
    assert done.stderr == ""
    assert len(table.stdout.splitlines()) == 101
    assert table.stderr == "1,900 more are left out: --limit N shows N jobs\n"
    assert len(longer.stdout.splitlines()) == 2001
    assert longer.stderr == ""


def test_list_of_no_more_than_the_first_jobs(broker: Beanstalkd) -> None:
    """More of them, after thousands of others, are not missing but left out."""
    put(broker, 3)
    put(broker, 6000, "other")
    put(broker, 2)

    done = operate(broker, "list", "t", "--limit", 3)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4


OWN_COMMANDS = {"stats", "stats-job", "stats-tube", "use", "peek", "list-tubes"} | {
    f"peek-{state}" for state in ("ready", "delayed", "buried")
}


VARYING = {"uptime", "rusage-utime", "rusage-stime", "total-connections"}


def test_list_and_export_change_nothing(broker: Beanstalkd) -> None:
    """Only the counts of their own commands change."""
    put(broker, 50)
    put_buried(broker, 50)

    def counters() -> list[dict[str, Any]]:
        with broker.client() as client:
            server: dict[str, Any] = {**client.stats()}
            tube: dict[str, Any] = {**client.stats_tube("t")}
            jobs: list[dict[str, Any]] = [{**client.stats_job(n)} for n in (1, 60)]
        own = {f"cmd-{command}" for command in OWN_COMMANDS} | VARYING
        server = {key: value for key, value in server.items() if key not in own}
        return [server, tube, *({**job, "age": 0} for job in jobs)]

    before = counters()
    assert operate(broker, "list", "t").returncode == 0
    assert operate(broker, "export", "t").returncode == 0

    assert before == counters()


ODD_BODIES = {
    b"\x1b[31mred\x07": "\\x1b[31mred\\x07",
    b"\xff\xfe": "\\xff\\xfe",
    "\u202eleft".encode(): "\\u202eleft",
    b"a\r\nb": "a\\r\\nb",
    b"[" * 60_000: "[[[",
    b"": "",
}


@pytest.mark.parametrize("odd", ODD_BODIES)
def test_odd_bodies_are_escaped(broker: Beanstalkd, odd: bytes) -> None:
    with broker.client("t") as client:
        job_id = client.put(odd)

    shown = operate(broker, "show", job_id)
    listed = operate(broker, "list", "t")
    (values,) = json_lines(operate(broker, "list", "t", "--json").stdout)

    assert shown.stdout.partition("\n\n")[2].startswith(ODD_BODIES[odd])
    assert ODD_BODIES[odd] in listed.stdout
    assert "\x1b" not in shown.stdout + listed.stdout
    assert (values["func_name"], values["kwargs"]) == (None, None)


def test_show(broker: Beanstalkd) -> None:
    (job_id,) = put(broker, 1, priority=5, ttr=70, delay=90)

    done = operate(broker, "show", job_id)
    values = operate_json(broker, "show", job_id)

    head, _, text = done.stdout.partition("\n\n")
    assert json.loads(text) == json.loads(body())
    assert "\n  " in text
    lines = dict(line.split(maxsplit=1) for line in head.splitlines())
    assert (lines["tube"], lines["priority"], lines["ttr"]) == ("t", "5", "70 s")
    assert lines["state"].startswith("delayed (ready in 1m")
    assert values["body"] == body().decode()
    assert (values["id"], values["state"]) == (job_id, "delayed")


def test_show_without_a_job(broker: Beanstalkd) -> None:
    done = operate(broker, "show", 7)

    assert done.returncode == 1
    assert "has no job 7: it was done or deleted, or never existed" in done.stderr
