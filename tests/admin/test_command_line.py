"""The command line as a whole: help, errors, signals and output."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import jobqueue
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    COMMAND,
    Terminal,
    environment,
    operate,
    put,
)


def test_version_and_help(broker: Beanstalkd) -> None:
    assert operate(broker, "--version").stdout == f"jobqueue {jobqueue.__version__}\n"
    text = operate(broker, "--help").stdout
    for command in ("stats", "top", "list", "failures", "kick", "clear", "export"):
        assert f"\n    {command} " in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_console_script(broker: Beanstalkd) -> None:
    script = Path(sys.executable).parent / "jobqueue"
    done = subprocess.run(
        [script, "stats", "--url", broker.url],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "TUBE" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "stats",
        "top",
        "list",
        "show",
        "failures",
        "kick",
        "delete",
        "clear",
        "pause",
        "put",
        "export",
        "import",
        "schedules",
        "web",
    ],
)
def test_help_fits_80_columns(broker: Beanstalkd, command: str) -> None:
    done = operate(broker, command, "--help")

    assert done.returncode == 0
    assert "--url" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nonsense"], "invalid choice: 'nonsense'"),
        ([], "required: COMMAND"),
        (["stats", "a\r\nb"], "'a\\r\\nb' is not a tube name"),
        (["list", "-x"], "required: TUBE"),
        (["list", "a b"], "'a b' is not a tube name"),
        (["list", "t", "--limit", "0"], "'0' is not a whole number from 1"),
        (["list", "t", "--state", "lost"], "invalid choice: 'lost'"),
        (["stats", "--url", "redis://:s3cret@h"], "'redis://***@h' is not a broker's"),
        (["stats", "redis://:s3cret@h"], "'redis://***@h' is not a tube name"),
        (["top", "redis://:s3cret@h"], "arguments: redis://***@h"),
        (["show", "0"], "a job's id has to be from 1 to"),
        (["show", "99999999999999999999"], "a job's id has to be from 1 to"),
        (["show", "1\r\n"], "is not a whole number from 0"),
        (["delete", "1", "0"], "a job's id has to be from 1 to"),
        (["kick", "t"], "give a tube with either --all or --count N, or --job ID..."),
        (["kick", "t", "--all", "--count", "3"], "either --all or --count N"),
        (["kick", "t", "--job", "3"], "give either --job ID..., or a tube"),
        (["kick", "--all"], "give a tube with either"),
        (["kick", "--job", "0"], "a job's id has to be from 1 to"),
        (["clear", "t"], "required: --state"),
        (["pause", "t", "0"], "SECONDS has to be a whole number from 1"),
        (["pause", "t", "4294967296"], "SECONDS has to be a whole number from 1 to"),
        (["pause", "a\nb", "5"], "'a\\nb' is not a tube name"),
        (["put", "t", "f", "x"], "'x' is not an argument: it should be name=value"),
        (["put", "t", "f", "1=2"], "'1=2' is not an argument"),
        (["put", "t", "f", "x=1", "x=2"], "argument 'x' is given twice"),
        (["put", "t", "a-b"], "'a-b' is not the name of a task"),
        (["put", "t", "f", "--priority", "4294967296"], "priority has to be"),
        (["put", "t", "f", "--ttr", "0"], "ttr has to be a whole number from 1"),
        (["put", "t", "f", "--delay", "-1"], "'-1' is not a whole number from 0"),
        (["put", "t\r\ndelete 1", "f"], "is not a tube name"),
        (["top", "--interval", "0"], "'0' is not a number of seconds from 0.1 to"),
    ],
)
def test_wrong_use(broker: Beanstalkd, arguments: list[str], error: str) -> None:
    """Wrong use ends with status 2 and one clear line, and sends nothing."""
    put(broker)
    done = operate(broker, *arguments)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("jobqueue")
    assert ": error: " in line
    assert error in line
    assert done.stdout == ""
    assert broker.counts("t") == {"ready": 1}


def test_unreachable_broker(broker: Beanstalkd) -> None:
    """One line, and status 1."""
    broker.kill()

    for command in (["stats"], ["top"], ["list", "t"], ["put", "t", "f"], ["import"]):
        done = operate(broker, *command, stdin=b'{"tube": "t", "body": ""}\n')
        assert done.returncode == 1
        assert f"error: beanstalkd at {broker.url} can't be reached" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["list", "export", "resume", "kick --all", "clear --yes --state ready"]
)
def test_missing_tube(broker: Beanstalkd, command: str) -> None:
    name, *options = command.split()
    done = operate(broker, name, "nope", *options)

    assert done.returncode == 1
    assert "has no tube 'nope'" in done.stderr
    assert broker.counts("nope") == {}


def test_closed_pipe(broker: Beanstalkd) -> None:
    """A reader that stops reading, as head does, is no error."""
    put(broker, 2000)
    command = f"{sys.executable} -m jobqueue export t --url {broker.url} | head -n 1"

    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False
    )

    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_interrupted_command_says_so(broker: Beanstalkd) -> None:
    put(broker)
    with Terminal(broker, "clear", "t", "--state", "ready") as terminal:
        terminal.shows("[y/N]")
        terminal.signal(signal.SIGINT)
        assert terminal.exit_code() == 128 + signal.SIGINT
        terminal.shows("jobqueue clear: error: stopped by SIGINT")

    assert broker.counts("t") == {"ready": 1}


def test_full_disk(broker: Beanstalkd) -> None:
    put(broker, 100)

    for command in ("export", "list"):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*COMMAND, command, "t"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(broker),
                check=False,
            )
        *_, line = done.stderr.splitlines()
        assert done.returncode == 1
        assert line == (
            f"jobqueue {command}: error: can't write the output: "
            "No space left on device"
        )
        assert "Traceback" not in done.stderr
