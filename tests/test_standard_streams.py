"""The three commands with standard streams that are closed, full, or read no more."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.terminal import environment, put, put_buried
from tests.helpers.worker_process import write_module

OPERATOR = "-m jobqueue"
WORKER = "-m jobqueue.worker"
DEVSERVER = "-m jobqueue.devserver"
COMMANDS = [OPERATOR, WORKER, DEVSERVER]

TASKS = """
from jobqueue import JobQueue

@JobQueue.task("t")
def send(n):
    print("ran", n, flush=True)
"""


def sh(
    broker: Beanstalkd, command: str, folder: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command by a shell, which can close streams."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {command}"],
        cwd=folder,
        env=environment(broker, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    "arguments", ["stats", "stats --json", "list t", "show 1", "export t", "top"]
)
def test_output_closed(broker: Beanstalkd, arguments: str) -> None:
    """A command that only prints says that it can't."""
    put(broker)

    done = sh(broker, f"{OPERATOR} {arguments} >&-")

    (line,) = done.stderr.splitlines()
    assert line.endswith("standard output is closed: there is nowhere to print to")
    assert done.returncode == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_change_with_closed_streams(
    broker: Beanstalkd, tmp_path: Path, closed: str
) -> None:
    """A command that changes something does its work."""
    put_buried(broker)
    line = '{"tube": "t", "body": "x"}\n'
    (tmp_path / "jobs").write_text(line * 2)

    for command in (
        "kick t --all",
        "put t send n=2",
        "pause t 1",
        "resume t",
        "import jobs",
        "clear t --state ready --yes",
    ):
        done = sh(broker, f"{OPERATOR} {command} {closed}", tmp_path)
        assert (done.returncode, command) == (0, command)
    assert broker.counts("t") == {}


@pytest.mark.parametrize("arguments", ["import", "import --json"])
def test_input_closed(broker: Beanstalkd, arguments: str) -> None:
    done = sh(broker, f"{OPERATOR} {arguments} <&-")

    assert done.returncode == 1
    assert "standard input is closed: name the FILE to import" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_on_full_disk(broker: Beanstalkd, command: str, option: str) -> None:
    done = sh(broker, f"{command} {option} >/dev/full")

    (line,) = done.stderr.splitlines()
    assert "error: can't write the output: No space left on device" in line
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        *((OPERATOR, closed) for closed in (">&-", "2>&-", "2>/dev/full", ">&- 2>&-")),
        (WORKER, ">&- 2>&-"),
        (DEVSERVER, ">&- 2>&-"),
    ],
)
def test_help_and_errors_without_streams(
    broker: Beanstalkd, command: str, closed: str
) -> None:
    """The status is what it is with open streams."""
    assert sh(broker, f"{command} --help {closed}").returncode == 0
    assert sh(broker, f"{command} --nonsense {closed}").returncode == 2


def test_errors_on_full_disk(broker: Beanstalkd) -> None:
    """The exit status still says what became of a command."""
    put(broker)

    assert sh(broker, f"{OPERATOR} stats nope >/dev/full 2>&1").returncode == 1
    assert sh(broker, f"{OPERATOR} stats 'a b' 2>/dev/full").returncode == 2
    assert sh(broker, f"{OPERATOR} export t 2>/dev/full").returncode == 0


def test_full_disk_says_so_once(broker: Beanstalkd) -> None:
    put(broker)

    for command in ("put t send", "stats", "show 1 --json"):
        done = sh(broker, f"{OPERATOR} {command} >/dev/full")
        (line,) = done.stderr.splitlines()
        assert line.endswith("can't write the output: No space left on device")
        assert done.returncode == 1


def test_reader_that_stops(broker: Beanstalkd) -> None:
    """Nothing is said, and the status is that of a program which SIGPIPE ended."""
    put(broker, 2000)

    for command in ("export t", "list t", "--help"):
        done = sh(broker, f"{OPERATOR} {command} | true; exit ${{PIPESTATUS[0]}}")
        assert (done.returncode, done.stderr) in (
            (128 + signal.SIGPIPE, ""),
            (0, ""),  # --help may fit into the pipe before its reader has gone
            (128 + signal.SIGPIPE, "Exported 0 jobs; they stay in the tube\n"),
        )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_worker(broker: Beanstalkd, tmp_path: Path, closed: str) -> None:
    """It runs its jobs, and none of its output goes to the broker."""
    write_module(tmp_path, "tasks", TASKS)
    put(broker, 3)

    done = sh(broker, f"{WORKER} --import tasks --burst {closed}", tmp_path)

    assert done.returncode == 0
    assert broker.counts("t") == {}


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_devserver(broker: Beanstalkd, socket_folder: Path, closed: str) -> None:
    listen = socket_folder / "d.sock"
    process = subprocess.Popen(
        ["bash", "-c", f"exec {sys.executable} {DEVSERVER} -l unix:{listen} {closed}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(
            lambda: sh(broker, f"{OPERATOR} stats --url unix://{listen}").returncode, 0
        )
        process.terminate()
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "Traceback" not in errors
    assert process.returncode == 0


def test_import_of_what_can_not_be_read(broker: Beanstalkd, tmp_path: Path) -> None:
    """It is not said of the output."""
    done = sh(broker, f"{OPERATOR} import {tmp_path}")

    assert f"error: can't read {tmp_path}: Is a directory" in done.stderr
    assert done.returncode == 1
