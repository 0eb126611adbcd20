"""The one command: `jobqueue worker`, `jobqueue devserver`, and what they load."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import write_module

SCRIPT = Path(sys.executable).parent / "jobqueue"
TASKS = """
from jobqueue import JobQueue

@JobQueue.task("t")
def send(n):
    print("sent", n)
"""


def jobqueue(
    folder: Path, *arguments: str, command: Sequence[str | Path] = (SCRIPT,)
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    write_module(tmp_path, "app.tasks", TASKS)
    return tmp_path


@pytest.mark.parametrize("command", [[SCRIPT], [sys.executable, "-m", "jobqueue"]])
def test_put_and_work(app: Path, command: Sequence[str | Path]) -> None:
    """Modules are found in the current folder, as `python -m` finds them."""
    use = ("--import", "app.tasks")

    put = jobqueue(app, "put", "t", "send", "n=7", *use, command=command)
    done = jobqueue(app, "worker", *use, "--burst", command=command)

    assert (put.stdout, put.stderr) == ("1\n", "")
    assert done.stdout == "sent 7\n"
    assert "Job 1 done: send (tube t)" in done.stderr


def test_safe_path(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")

    done = jobqueue(app, "worker", "--import", "app.tasks")

    assert "No module named 'app' (Python does not look into" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("worker --import app.tasks --nonsense", "jobqueue worker: error: unrec"),
        ("worker --import nope", "jobqueue worker: error: can't import nope: Module"),
        ("--json worker", "belong after the command: jobqueue worker ... (see"),
        ("devserver --port x", "jobqueue devserver: error: argument -p/--port: 'x'"),
        ("work", "jobqueue: error: argument COMMAND: invalid choice: 'work'"),
    ],
)
def test_errors_name_the_command(app: Path, arguments: str, error: str) -> None:
    done = jobqueue(app, *arguments.split())

    assert done.returncode == 2
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_example_of_the_help(app: Path) -> None:
    assert "\n  jobqueue worker --tube" in jobqueue(app, "worker", "--help").stdout
    module = [sys.executable, "-m", "jobqueue.worker"]
    helped = jobqueue(app, "--help", command=module).stdout
    assert "\n  python -m jobqueue.worker --tube" in helped


def test_spawned_processes(app: Path, broker: Beanstalkd) -> None:
    """They are started by the same command, with the options of Python."""
    write_module(app, "spawning", SPAWNING)
    arguments = ("--import", "app.tasks", "--processes", "2")
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "spawning.py", "worker", *arguments], cwd=app
    ) as process:
        eventually(lambda: broker.waiting("t"), 2)
        found = subprocess.run(
            ["ps", "-ww", "-o", "args=", "--ppid", str(process.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

    started = f"{sys.executable} -X dev -m jobqueue worker --import app.tasks "
    assert [line.startswith(started) for line in found.stdout.splitlines()] == [
        True
    ] * 2


SPAWNING = """
import sys
from jobqueue.__main__ import main
from jobqueue.worker.processes import child

child._has_one_thread = lambda: False  # as on macOS
sys.exit(main())
"""


def test_devserver() -> None:
    command = [str(SCRIPT), "devserver", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        greeting = process.stderr.readline()
        process.terminate()
        assert process.wait(20) == 0

    assert re.match(r"jobqueue devserver: listening on beanstalkd://127\.0\.", greeting)


def test_each_command_loads_only_its_own(app: Path) -> None:
    """A worker starts as quickly, and takes as little memory, as the module does."""
    write_module(app, "app.loaded", TASKS + LOADED)
    names = {}
    for words in (["jobqueue", "worker"], ["jobqueue.worker"]):
        arguments = (*words, "--import", "app.loaded", "--burst")
        done = jobqueue(app, *arguments, command=(sys.executable, "-m"))
        names[words[0]] = set(done.stdout.split())
    extra = names["jobqueue"] - names["jobqueue.worker"]

    assert extra == {"jobqueue.worker.__main__"}  # else, that one is __main__
    assert "jobqueue.admin" not in names["jobqueue"]


LOADED = """
import sys
print(*(name for name in sys.modules if name.startswith("jobqueue")))
"""


def test_name_in_the_list_of_processes(app: Path) -> None:
    """Of all processes of a worker: those that were forked have it from the first."""
    with subprocess.Popen(
        [SCRIPT, "worker", "--import", "app.tasks"], cwd=app, env=os.environ
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        eventually(lambda: len(children.read_text().split()), 1)
        (child,) = children.read_text().split()
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        process.terminate()
        process.wait(20)

    assert command.split(b"\0")[1:3] == [str(SCRIPT).encode(), b"worker"]
