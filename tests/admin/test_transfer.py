"""Export and import: what comes back, and what happens half-way."""

import base64
import json
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.admin import jsonl
from jobqueue.broker.stats import JobState, JobStats
from tests.helpers.fake_broker import FakeBroker
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.terminal import (
    COMMAND,
    body,
    environment,
    json_lines,
    operate,
    put,
    put_buried,
)

Job = tuple[bytes, int, int, str]  # body, priority, ttr, state


def jobs_of(broker: Beanstalkd, tube: str = "t") -> list[Job]:
    """Return what a tube holds, by an export."""
    found = json_lines(operate(broker, "export", tube).stdout)
    return sorted(
        (job["body"].encode(), job["priority"], job["ttr"], job["state"])
        for job in found
    )


def record(state: str = "ready", **numbers: int) -> JobStats:
    names = (
        "id priority age delay ttr time_left reserves timeouts releases buries kicks"
    )
    values = dict.fromkeys(names.split(), 1) | numbers
    return JobStats(tube="t", state=JobState(state), **values)


@given(content=st.binary())
def test_any_body_survives_a_line(content: bytes) -> None:
    line = jsonl.encode(record(), content)

    assert line.count(b"\n") == 1
    assert jsonl.decode(line).body == content


def test_a_line_has_documented_keys() -> None:
    values = json.loads(jsonl.encode(record("delayed", time_left=9), b"x"))

    names = (
        "id tube state priority age delay ttr time_left reserves timeouts releases "
        "buries kicks body"
    )
    assert names.split() == list(values)
    assert values["delay"] == 9
    assert json.loads(jsonl.encode(record("ready", time_left=9), b"x"))["delay"] == 0
    odd = json.loads(jsonl.encode(record(), b"\xff"))
    assert base64.b64decode(odd["body_base64"]) == b"\xff"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "it is not JSON, or was cut short"),
        (b'{"tube": "t", "bo', "it is not JSON, or was cut short"),
        (b"\xff\xfe", "it is not JSON, or was cut short"),
        (b"[" * 100_000, "it is not JSON, or was cut short"),
        (b"[]", "it is not a JSON object"),
        (b'{"body": "x"}', "None is not a tube name"),
        (b'{"tube": "a\\r\\nb", "body": "x"}', "is not a tube name"),
        (b'{"tube": "t"}', 'it has neither "body" nor "body_base64"'),
        (b'{"tube": "t", "body": 5}', 'it has neither "body" nor "body_base64"'),
        (b'{"tube": "t", "body": "\\ud800"}', "surrogates not allowed"),
        (b'{"tube": "t", "body_base64": "?"}', "base64"),
        (b'{"tube": "t", "body": "", "priority": -1}', "priority has to be"),
        (b'{"tube": "t", "body": "", "priority": "1"}', "priority has to be"),
        (b'{"tube": "t", "body": "", "priority": true}', "priority has to be"),
        (b'{"tube": "t", "body": "", "delay": 1e3}', "delay has to be a whole number"),
        (b'{"tube": "t", "body": "", "ttr": 4294967296}', "ttr has to be"),
    ],
)
def test_a_line_that_is_no_job_says_why(line: bytes, problem: str) -> None:
    with pytest.raises(jsonl.BadLineError, match=problem.replace('"', ".")):
        jsonl.decode(line)


def test_ten_thousand_jobs_come_back_as_they_were(
    broker: Beanstalkd, tmp_path: Path
) -> None:
    put(broker, 3000, priority=5, ttr=9)
    put(broker, 3000, delay=5000)
    put(broker, 3000, priority=70_000)
    put_buried(broker, 1000)
    file = tmp_path / "jobs.jsonl"
    before = jobs_of(broker)
    exported = operate(broker, "export", "t")
    file.write_text(exported.stdout)
    assert exported.stderr == "Exported 10,000 jobs; they stay in the tube\n"
    states = ("ready", "delayed", "buried")
    operate(broker, "clear", "t", "--yes", *(f"--state={state}" for state in states))
    assert broker.counts("t") == {}

    done = operate(broker, "import", file)

    assert (done.returncode, done.stderr) == (0, "Imported 10,000 jobs\n")
    assert broker.counts("t") == {"ready": 6000, "delayed": 3000, "buried": 1000}
    assert before == jobs_of(broker)
    left = [
        job["delay"]
        for job in json_lines(operate(broker, "export", "t").stdout)
        if job["state"] == "delayed"
    ]
    assert all(4900 <= delay <= 5000 for delay in left)


def test_a_tube_moves_to_another_server_through_a_pipe(
    broker: Beanstalkd, socket_folder: Path
) -> None:
    put(broker, 100)
    with broker.client("t") as client:
        client.put(b"\xff\x00\r\n")
    with Beanstalkd(socket_folder / "other.sock") as other:
        exported = operate(broker, "export", "t", "--state", "ready").stdout
        done = operate(other, "import", "--json", stdin=exported.encode())

        assert json.loads(done.stdout) == {
            "put": 101,
            "next_line": None,
            "unconfirmed": 0,
        }
        with other.client("t") as client:
            bodies = [client.reserve(0).body for _ in range(101)]
    assert bodies == [*(body(n) for n in range(100)), b"\xff\x00\r\n"]


def test_a_line_that_cannot_be_read_is_named_and_those_before_it_are_put(
    broker: Beanstalkd,
) -> None:
    good = b'{"tube": "t", "body": "x"}\n'
    data = good * 1200 + b'{"tube": "t", "bo\n' + good * 10

    done = operate(broker, "import", stdin=data)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Imported 1,200 jobs; to go on, import the same lines with --from-line 1201",
        "jobqueue import: error: line 1201: it is not JSON, or was cut short",
    ]
    again = operate(broker, "import", "--from-line", 1202, stdin=data)
    assert again.stderr == "Imported 10 jobs\n"
    assert broker.counts("t") == {"ready": 1210}


def test_a_job_that_the_broker_refuses_is_named_and_none_is_put_twice(
    broker: Beanstalkd, tmp_path: Path
) -> None:
    good = [f'{{"tube": "t", "body": "{n}"}}\n' for n in range(20)]
    big = '{"tube": "t", "body": "' + "x" * 70_000 + '"}\n'
    file = tmp_path / "jobs.jsonl"
    file.write_text("".join([*good[:10], big, *good[10:]]))

    done = operate(broker, "import", file)
    assert done.returncode == 1
    assert "Imported 10 jobs; to go on" in done.stderr
    assert "error: line 11: a job of 70000 bytes for tube 't' is too" in done.stderr
    operate(broker, "import", file, "--from-line", 12)

    assert [job[0] for job in jobs_of(broker)] == sorted(
        str(n).encode() for n in range(20)
    )


def test_buried_jobs_are_not_put_where_they_cannot_be_buried(
    socket_folder: Path,
) -> None:
    names = (
        "uptime pid binlog-oldest-index binlog-current-index max-job-size "
        "current-jobs-ready current-jobs-delayed current-jobs-reserved "
        "current-jobs-buried current-connections current-workers current-waiting "
        "cmd-put total-jobs cmd-delete job-timeouts rusage-utime rusage-stime"
    )
    told = ['version: "1.10"', *(f"{name}: 0" for name in names.split())]
    stats = "\n".join(["---", *told, ""]).encode()
    answer = b"OK %d\r\n%b\r\n" % (len(stats), stats)
    job = b'{"tube": "t", "body": "x", "state": "buried"}\n'
    with FakeBroker(socket_folder / "old.sock").on(b"stats", answer) as old:
        done = operate(old, "import", stdin=job)

        assert done.returncode == 1
        assert "line 1: buried jobs come from here on, and beanstalkd 1.10" in (
            done.stderr
        )
        assert old.received == [b"stats\r\n"]


def test_a_file_that_is_not_there_is_one_line(broker: Beanstalkd) -> None:
    done = operate(broker, "import", "nope.jsonl")

    assert done.returncode == 1
    assert "can't read nope.jsonl: No such file or directory" in done.stderr


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_import_told_to_stop_half_way_can_go_on(
    broker: Beanstalkd, signum: signal.Signals
) -> None:
    data = [
        json.dumps({"tube": "t", "body": str(n), "state": state}).encode() + b"\n"
        for n in range(1000)
        for state in ("ready", "buried")
    ]
    process = subprocess.Popen(
        [*COMMAND, "import"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(broker),
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b"".join(data[:1300]))
    process.stdin.flush()
    eventually(lambda: sum(broker.counts("t").values()), 1000)
    process.send_signal(signum)
    said = process.stderr.read().decode()
    assert process.wait(20) == 128 + signum
    process.stdin.close()
    process.stderr.close()

    assert "Imported 1,000 jobs; to go on" in said
    operate(broker, "import", "--from-line", 1001, stdin=b"".join(data))

    assert broker.counts("t") == {"ready": 1000, "buried": 1000}
    numbers = sorted(int(job[0]) for job in jobs_of(broker))
    assert numbers == sorted([*range(1000), *range(1000)])


@pytest.mark.parametrize("command", ["export", "import"])
def test_nothing_is_lost_when_it_is_killed_half_way(
    broker: Beanstalkd, tmp_path: Path, command: str
) -> None:
    put(broker, 4000)
    whole = operate(broker, "export", "t").stdout.encode()
    file = tmp_path / "jobs.jsonl"
    process = subprocess.Popen(
        [*COMMAND, command, *(["t"] if command == "export" else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(broker),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if command == "export":
        file.write_bytes(process.stdout.read(1000))
    else:
        process.stdin.write(whole[: len(whole) // 2])
        process.stdin.flush()
        eventually_true(lambda: broker.counts("t")["ready"] > 4000)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()

    found = {job[0] for job in jobs_of(broker)}
    assert found == {body(n) for n in range(4000)}


def test_an_import_whose_broker_goes_away_says_how_far_it_came(
    broker: Beanstalkd,
) -> None:
    line = b'{"tube": "t", "body": "x"}\n'
    process = subprocess.Popen(
        [*COMMAND, "import"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(broker),
    )
    assert process.stdin is not None
    process.stdin.write(line * 500)
    process.stdin.flush()
    eventually(lambda: broker.counts("t"), {"ready": 500})
    broker.kill()
    _, said = process.communicate(line * 500, timeout=30)

    assert process.returncode == 1
    assert (
        b"Imported 500 jobs; to go on, import the same lines with --from-line 501"
        in said
    )
    assert b"error: line 501: the connection to beanstalkd" in said
