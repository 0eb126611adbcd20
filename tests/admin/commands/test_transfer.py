"""export and import: jobs come back as they were, also after an interruption."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.fake_broker import FakeBroker
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.terminal import (
    COMMAND,
    Terminal,
    body,
    environment,
    json_lines,
    operate,
    put,
    put_buried,
    without_rich,
)

Job = tuple[bytes, int, int, str]  # body, priority, ttr, state


def jobs_of(broker: Beanstalkd, tube: str = "t") -> list[Job]:
    """Return what a tube holds, by an export."""
    found = json_lines(operate(broker, "export", tube).stdout)
    return sorted(
        (job["body"].encode(), job["priority"], job["ttr"], job["state"])
        for job in found
    )


def test_round_trip_of_ten_thousand_jobs(broker: Beanstalkd, tmp_path: Path) -> None:
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


def test_move_to_another_server(broker: Beanstalkd, socket_folder: Path) -> None:
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


def test_import_stops_at_a_bad_line(
    broker: Beanstalkd,
) -> None:
    """The jobs before it are put, and the line is named."""
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


def test_import_stops_at_a_refused_job(broker: Beanstalkd, tmp_path: Path) -> None:
    """The line is named, and no job is put twice."""
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


def test_import_of_buried_jobs_needs_1_12(
    socket_folder: Path,
) -> None:
    names = (
        "uptime pid binlog-oldest-index binlog-current-index max-job-size "
        "current-jobs-ready current-jobs-delayed current-jobs-reserved "
        "current-jobs-buried current-connections current-workers current-waiting "
        "cmd-put total-jobs cmd-delete job-timeouts rusage-utime rusage-stime"
    )
    lines = ['version: "1.10"', *(f"{name}: 0" for name in names.split())]
    stats = "\n".join(["---", *lines, ""]).encode()
    answer = b"OK %d\r\n%b\r\n" % (len(stats), stats)
    job = b'{"tube": "t", "body": "x", "state": "buried"}\n'
    with FakeBroker(socket_folder / "old.sock").on(b"stats", answer) as old:
        done = operate(old, "import", stdin=job)

        assert done.returncode == 1
        assert "line 1: buried jobs come from here on, and beanstalkd 1.10" in (
            done.stderr
        )
        assert old.received == [b"stats\r\n"]


def test_missing_file(broker: Beanstalkd) -> None:
    done = operate(broker, "import", "nope.jsonl")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Imported 0 jobs",
        "jobqueue import: error: can't read nope.jsonl: No such file or directory",
    ]
    done = operate(broker, "import", "nope.jsonl", "--from-line", 501, "--json")
    assert json.loads(done.stdout) == {"put": 0, "next_line": 501, "unconfirmed": 0}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_import_can_go_on(
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
    errors = process.stderr.read().decode()
    assert process.wait(20) == 128 + signum
    process.stdin.close()
    process.stderr.close()

    assert "Imported 1,000 jobs; to go on" in errors
    operate(broker, "import", "--from-line", 1001, stdin=b"".join(data))

    assert broker.counts("t") == {"ready": 1000, "buried": 1000}
    numbers = sorted(int(job[0]) for job in jobs_of(broker))
    assert numbers == sorted([*range(1000), *range(1000)])


@pytest.mark.parametrize("command", ["export", "import"])
def test_killed_half_way_nothing_is_lost(
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


def test_import_that_loses_its_broker(
    broker: Beanstalkd,
) -> None:
    """It prints how many jobs were put, and where to go on."""
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
    _, errors = process.communicate(line * 500, timeout=30)

    assert process.returncode == 1
    assert (
        b"Imported 500 jobs; to go on, import the same lines with --from-line 501"
        in errors
    )
    assert b"error: line 501: the connection to beanstalkd" in errors


def test_progress_of_an_import(broker: Beanstalkd, tmp_path: Path) -> None:
    """It says of how many lines, where they can be counted: those that are left."""
    line = json.dumps({"tube": "t", "body": "x"})
    file = tmp_path / "jobs.jsonl"
    file.write_text(f"{line}\n" * 700)
    modules = without_rich(tmp_path)

    with Terminal(broker, "import", file, "--from-line", 101, modules=modules) as term:
        term.shows("Imported 600 jobs")
        assert term.exit_code() == 0

    assert "Importing: 500 of 600 (83 %)" in term.text
