"""The pages of deploying: their files are valid, and fit what a worker does.

These are deploying/systemd, deploying/compose, deploying/procfile, deploying/kubernetes
and deploying/order.
"""

import argparse
import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobqueue.worker.arguments import make_parser
from jobqueue.worker.settings import Timings
from tests.helpers.optional_programs import check
from tests.helpers.pages import all_blocks, blocks, page
from tests.helpers.printed_commands import commands, ending, settled, sh
from tests.helpers.servers import Beanstalkd, eventually, free_port
from tests.helpers.terminal import operate
from tests.helpers.worker_process import WorkerProcess, write_module

WORKER = re.compile(r"jobqueue\W+worker\b")
COMMAND = re.compile(r'command: (\["jobqueue".*?\])', re.DOTALL)
UNIT = "app-worker.service"

TASKS = """
from jobqueue import JobQueue
queue = JobQueue()
@queue.task("emails")
def send(to): ...
"""


SANDBOX = """
mount --make-rprivate /
mount -o remount,bind,ro /
if touch sandbox 2>/dev/null; then exit 1; fi
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def printed(name: str, file: str) -> str:
    """Return the file that a page prints, by the comment in its first line."""
    (text,) = (
        text for text in blocks(name) if text.splitlines()[0].endswith(f"/{file}")
    )
    return text


def parsed(words: list[str]) -> argparse.Namespace:
    """Return the options of a worker's command line, which have to be right."""
    return make_parser("jobqueue worker").parse_args(words)


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(printed("deploying/systemd", UNIT))
    return parser["Service"]


def longest_stop(options: argparse.Namespace) -> float:
    """Return after how many seconds a worker has ended that was told to stop."""
    timings = Timings()
    return float(options.shutdown_timeout) + 2 * timings.margin


def of_this_python(text: str) -> str:
    """Return a unit with a program that is there, so that it can be verified."""
    return re.sub(r"(?<=ExecStart=)\S+", sys.executable, text)


@pytest.mark.parametrize("name", [UNIT, "app-worker@.service"])
def test_unit(name: str, tmp_path: Path) -> None:
    """systemd knows each key of the unit, also of the one for each tube."""
    text = of_this_python(printed("deploying/systemd", UNIT))
    if "@" in name:
        text = re.sub(r"^(ExecStart=.*)$", r"\1 --tube %i", text, flags=re.MULTILINE)
    (tmp_path / name).write_text(text)

    assert check("systemd-analyze", "verify", tmp_path / name) == ""


def test_drop_in_of_broker(tmp_path: Path) -> None:
    printed_part = printed("deploying/systemd", "jobs.conf")
    file = tmp_path / "beanstalkd.service"
    file.write_text(f"{printed_part}ExecStart={sys.executable} -V\n")

    assert check("systemd-analyze", "verify", file) == ""


def test_unit_stops_as_the_worker_does() -> None:
    """The supervisor alone gets the signal, and has the time that it takes."""
    service = unit()
    _, *words = service["ExecStart"].split(" worker ")[1].split(" ")
    options = parsed(["--import", *words])

    assert service["KillMode"] == "mixed"
    assert longest_stop(options) < float(service["TimeoutStopSec"])


def test_sandbox(tmp_path: Path, broker: Beanstalkd) -> None:
    """A worker runs jobs where it can write no file, and has no capability.

    That is stricter than the unit, and what of it can be had without systemd.
    """
    assert {"ProtectSystem=strict", "CapabilityBoundingSet=", "NoNewPrivileges=yes"} < {
        *printed("deploying/systemd", UNIT).splitlines()
    }
    wrapped_in = ("unshare", "--mount", "sh", "-euc", SANDBOX, "sh")
    if shutil.which("unshare") is None or subprocess.call([*wrapped_in, "true"]):
        pytest.skip("no sandbox can be made here")
    write_module(tmp_path, "app.tasks", TASKS)
    operate(broker, "put", "emails", "send", "to=ada")

    options = ("--import", "app.tasks", "--processes=2", "--time-limit=9")
    with WorkerProcess(
        tmp_path, *options, wrapped_in=wrapped_in, BEANSTALKD_URL=broker.url
    ) as worker:
        worker.says("Job 1 done: send")
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0


def test_commands_of_systemd(tmp_path: Path) -> None:
    """They are about the unit that the page prints, or two instances of it."""
    script = "".join(t for t in blocks("deploying/systemd", "sh") if "sudo" in t)
    for program in ("sudo", "systemctl", "journalctl"):
        fake = tmp_path / program
        fake.write_text('#!/bin/sh\necho "$@"\n')
        fake.chmod(0o755)

    printed_words = subprocess.check_output(
        ["sh", "-euc", script],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        text=True,
    )

    unit_name = UNIT.removesuffix(".service")
    named = re.findall(r"\bapp-\S+", printed_words)
    assert len(printed_words.splitlines()) == len(named) + 1  # and daemon-reload
    assert named[:3] == [unit_name] * 3
    assert set(named[3:]) == {f"{unit_name}@a", f"{unit_name}@b"}


@pytest.mark.parametrize("file", ["app/worker.env", "default/beanstalkd"])
def test_variables(file: str) -> None:
    """systemd reads each line as one variable."""
    lines = printed("deploying/systemd", file.partition("/")[2]).splitlines()

    assert all(len(shlex.split(line, comments=True)) <= 1 for line in lines)


@pytest.mark.parametrize("name", ["deploying/systemd", "deploying/kubernetes"])
def test_no_secret_at_first(name: str) -> None:
    """Nobody begins with a worker that buries what producers put without a secret."""
    secret = re.findall(r"^.*JOBQUEUE_SECRET.*$", page(name).read_text(), re.MULTILINE)

    assert [line.strip()[0] for line in secret] == ["#"]


def test_compose(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    (text,) = blocks("deploying/compose", "yaml")
    file.write_text(text)

    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


@pytest.mark.parametrize("number", [0, 1])
def test_kubernetes(number: int, tmp_path: Path) -> None:
    file = tmp_path / "resources.yaml"
    file.write_text(blocks("deploying/kubernetes", "yaml")[number])

    check("kubernetes-validate", "--strict", file)


@pytest.mark.parametrize(
    ("name", "grace"),
    [
        ("deploying/compose", r"stop_grace_period: (\d+)s"),
        ("deploying/kubernetes", r"terminationGracePeriodSeconds: (\d+)"),
    ],
)
def test_workers_in_containers(name: str, grace: str) -> None:
    """A worker knows its options, and may stop for as long as it takes."""
    text = page(name).read_text()
    (command,) = COMMAND.findall(text)
    (seconds,) = re.findall(grace, text)

    options = parsed(json.loads(command)[2:])

    assert longest_stop(options) < float(seconds)
    assert str(options.health_port) in text.replace(command, "")
    assert "/healthz" in text


def test_health_check_of_compose(tmp_path: Path, broker: Beanstalkd) -> None:
    """The printed check passes while a worker runs, and fails when there is none."""
    text = page("deploying/compose").read_text()
    (found,) = re.findall(r'"(import urllib.*?)"\]', text, re.DOTALL)
    port = free_port()
    probe = [sys.executable, "-c", found.replace("8080", str(port))]
    write_module(tmp_path, "app.tasks", TASKS)

    options = ("--import", "app.tasks", f"--health-port={port}")
    with WorkerProcess(tmp_path, *options, BEANSTALKD_URL=broker.url) as worker:
        worker.says("Worker started")
        eventually(lambda: subprocess.run(probe, check=False).returncode, 0)
        worker.signal(signal.SIGTERM)
        worker.exit_code()
    assert subprocess.run(probe, check=False, capture_output=True).returncode == 1


def test_procfile() -> None:
    """The worker ends before Heroku's patience does."""
    (text,) = blocks("deploying/procfile", "procfile")
    processes = dict(line.split(": ", 1) for line in text.splitlines())

    options = parsed(processes["worker"].split()[2:])

    assert longest_stop(options) < 30


@pytest.mark.parametrize(
    ("name", "count"), [("deploying/compose", 4), ("deploying/kubernetes", 3)]
)
def test_settings_of_tcp(name: str, count: int) -> None:
    """They are those of the page about promises that every Kubernetes allows."""
    setting = r"^ *(net\.\S+?)(?:: | = )(\d+)$"
    recommended = re.findall(setting, page("why/promises").read_text(), re.MULTILINE)
    here = r'(net\.[\w.]+)(?:: |, value: ")(\d+)'

    assert re.findall(here, page(name).read_text()) == recommended[:count]


def test_code_is_gone(tmp_path: Path, broker: Beanstalkd) -> None:
    """The commands find the jobs of a task that no worker knows, and have them run."""
    write_module(tmp_path, "app.tasks", TASKS)
    operate(broker, "put", "emails", "send_old", "to=ada")
    run = ending("jobqueue worker --import app.tasks")
    assert sh(run, broker, tmp_path).returncode == 0

    ((command, shown),) = commands(blocks("deploying/order", "console")[0])
    is_left, kick = blocks("deploying/order", "sh")
    assert settled(shown) == settled(said(command, broker))
    assert len(said(is_left, broker).splitlines()) == 2
    assert said(kick, broker).startswith("Kicked 1 ")
    assert broker.counts("emails") == {"ready": 1}
    operate(broker, "delete", "1")
    assert said(is_left, broker) == ""


def said(command: str, broker: Beanstalkd) -> str:
    """Return what a command of jobqueue prints, run in this process."""
    return operate(broker, *command.split()[1:]).stdout


def test_each_worker_is_tested() -> None:
    """No page has a worker whose options no test here reads."""
    known = {"deploying/systemd", "deploying/compose", "deploying/kubernetes"}
    found = {
        f"deploying/{path.stem}"
        for path in page("deploying/order").parent.glob("*.md")
        if any(WORKER.search(block.text) for block in all_blocks(path))
    }

    assert found == known | {"deploying/procfile"}
