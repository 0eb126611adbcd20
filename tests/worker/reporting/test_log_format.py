"""The worker's log as JSON lines, and that an application's own logging is its own."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.worker.reporting.log_format import JSONLines
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import WorkerProcess, copy_app

GARBAGE = b'{"func_name":\r\n\x00\xff\n"nope'
IN_LINES = b'{"func_name": "fail_for_good",\r\n"tube": "t",\n"kwargs": {"secret": "a"}}'


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    copy_app("log_lines", tmp_path)
    return tmp_path


def start(app: Path, *arguments: str) -> WorkerProcess:
    return WorkerProcess(app, "--import=tasks", "--log-format=json", *arguments)


def put(app: Path, *calls: str) -> None:
    script = "import tasks\n" + "\n".join(f"tasks.{call}" for call in calls)
    subprocess.run([sys.executable, "-c", script], cwd=app, check=True)


def parsed(log: str) -> list[dict[str, Any]]:
    """Return what the lines of a log say; each has to be an object."""
    lines = [json.loads(line) for line in log.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def the_one(lines: list[dict[str, Any]], begin: str) -> dict[str, Any]:
    (line,) = [line for line in lines if line["message"].startswith(begin)]
    return line


def test_every_kind_of_line(app: Path, broker: Beanstalkd) -> None:
    """Each line is one JSON object."""
    put(app, "work.put()", "fail.put()", "warn.put()")
    with broker.client("t") as client:
        client.put(IN_LINES)
        client.put(GARBAGE)
    with start(app, "--log-level=debug") as process:
        eventually(lambda: broker.counts("t"), {"buried": 2})
        (working,) = process.children()
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    lines = parsed(process.log)
    assert lines[0]["message"].startswith("Worker started: tubes t; tasks work, fail")
    assert lines[-1]["message"] == "Worker stopped"
    for line in lines:
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
        assert line["process"] == working
    done = the_one(lines, "Job 1 done: work (tube t) in 0.")
    assert (done["level"], done["logger"]) == ("INFO", "jobqueue.worker")
    assert (done["job_id"], done["tube"], done["func_name"]) == (1, "t", "work")
    assert done["seconds"] >= 0
    failed = the_one(lines, "Job 2 buried after attempt 1 of 1: fail (tube t)")
    assert (failed["level"], failed["attempt"]) == ("ERROR", 1)
    assert failed["exception"].startswith("Traceback (most recent call last):\n")
    assert failed["exception"].endswith("ValueError: two\nlines, and more \u2028")
    given_up = the_one(lines, "Kicks reach max (0): job 4 is deleted")["message"]
    body = given_up.partition("Its body was: ")[2]
    assert json.loads(body) == json.loads(IN_LINES)
    assert "take\ncare" in the_one(lines, str(app))["message"]
    garbage = the_one(lines, "Job 5 buried: it can't be run (tube t)")
    assert (garbage["func_name"], garbage["attempt"]) == (None, 1)


OTHER_ERRORS = {
    "thread": "threading.Thread(target=fail_in_thread, name='mine').start()",
    "exit of a thread": "threading.Thread(target=sys.exit, args=('no',)).start()",
    "__del__": "FailsWhenCollected()",
    "callback": "a = A(); tasks.ref = weakref.ref(a, fail_in_callback); del a",
    "warning": "warnings.warn('take care', ResourceWarning, stacklevel=1)",
    "the end": "tasks.left = FailsWhenCollected()",
}


@pytest.mark.parametrize("code", OTHER_ERRORS.values(), ids=OTHER_ERRORS)
def test_errors_that_python_prints(app: Path, broker: Beanstalkd, code: str) -> None:
    with (app / "tasks.py").open("a") as file:
        file.write(
            f"""

import sys, threading, weakref, tasks

class A: ...

class FailsWhenCollected:
    def __del__(self):
        raise ValueError("in __del__")

def fail_in_thread():
    raise ValueError("in a thread")

def fail_in_callback(_):
    raise ValueError("in a callback")

@queue.task("t")
def odd():
    {code}
"""
        )
    put(app, "odd.put()")
    with start(app, "--burst", "--log-level=warning") as process:
        assert process.exit_code() == 0
    assert broker.counts("t") == {}
    for line in parsed(process.log):
        assert line["level"] in {"WARNING", "ERROR"}
        assert "ValueError: in " in line.get("exception", "ValueError: in ")


def test_error_that_ends_the_process(app: Path) -> None:
    script = (
        "from jobqueue.worker.reporting import log_format\n"
        "log_format.configure('INFO', as_json=True, in_several=False)\n"
        "raise ValueError('no')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )

    (line,) = parsed(done.stderr)
    assert done.returncode == 1
    assert (line["level"], line["message"]) == ("CRITICAL", "The process has failed")
    assert line["exception"].endswith("ValueError: no")


def test_broker_away(app: Path, broker: Beanstalkd) -> None:
    broker.kill()
    with start(app) as process:
        process.says("Waiting for the broker")
        Path(str(broker.target)).unlink()
        broker.start()
        process.says("Connected to the broker")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    assert parsed(process.log)[-1]["message"] == "Worker stopped"


def test_several_processes(app: Path, broker: Beanstalkd) -> None:
    put(app, "work.put_many([{}] * 50)", "die.put()", "work.put_many([{}] * 50)")
    with start(app, "--processes=2") as process:
        eventually(lambda: broker.counts("t"), {"buried": 1})
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    lines = parsed(process.log)
    assert lines[0]["message"].startswith("Supervisor started: 2 processes")
    died = [line for line in lines if "has exited with status 9" in line["message"]]
    assert died[0]["job_ids"] == [51]
    assert died[0]["process"] == process.process.pid
    workers = {line["process"] for line in lines if " done: " in line["message"]}
    assert process.process.pid not in workers


def test_embedded_worker(app: Path) -> None:
    """An application that embeds a worker keeps its own logging."""
    put(app, "fail.put()")
    script = """
import logging, sys, warnings, tasks
from jobqueue import Worker
mine = logging.StreamHandler(sys.stdout)
mine.setFormatter(logging.Formatter("mine: %(message).20s"))
mine.formatter.formatException = lambda _: "mine, too"
logging.getLogger().addHandler(mine)
show = warnings.showwarning
Worker(burst=True).run()
assert logging.getLogger().handlers == [mine]
assert logging.getLogger().level == logging.WARNING
for name in ("jobqueue", "jobqueue.worker"):
    assert logging.getLogger(name).handlers == []
    assert logging.getLogger(name).level == logging.NOTSET
assert warnings.showwarning is show
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == (
        "mine: Job 1 buried after a\nmine, too\n",
        "",
    )


def line_of(message: object = "said", *args: object, **attributes: object) -> Any:
    """Return what the line of a record says, which is to be one line of ASCII."""
    record = logging.LogRecord("app", logging.INFO, "f.py", 1, message, args, None)
    record.__dict__.update(attributes)
    line = JSONLines().format(record)
    assert len(line.splitlines()) == 1
    assert line.isascii()
    return json.loads(line, parse_constant=pytest.fail)


class UnshowableError(Exception):
    """An exception whose every look at it raises."""

    def __str__(self) -> str:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise RuntimeError


CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


ODD = {
    "content": ({"a": [1, None, "ü\n"]}, {"a": [1, None, "ü\n"]}),
    "nan": (float("nan"), "nan"),
    "set": ({1}, "{1}"),
    "path": (Path("x"), "x"),
    "bytes": (b"\xff\n", r"b'\xff\n'"),
    "circular": (CIRCULAR, "[[...]]"),
    "keys": ({("a",): 1}, "{('a',): 1}"),
    "characters": ("\ud800 \x85\u2028", "\ud800 \x85\u2028"),
    "error": (UnshowableError(), "(a value of UnshowableError that can't be shown)"),
    "huge": (10**5000, "(a value of int that can't be shown)"),
}


@pytest.mark.parametrize("kind", ODD)
def test_values_that_json_cannot_hold(kind: str) -> None:
    value, shown = ODD[kind]

    assert line_of(value=value)["value"] == shown


def test_message_that_cannot_be_made() -> None:
    assert line_of("%d jobs", "no")["message"].startswith("%d jobs (with arguments")
    assert "UnshowableError" in line_of(UnshowableError())["message"]
    assert line_of("%s", UnshowableError())["message"].startswith("%s (with arguments")


def test_exception_that_cannot_be_shown() -> None:
    said = line_of(exc_info=(UnshowableError, UnshowableError(), None))

    assert "UnshowableError: " in said["exception"]  # the rest is the Python version's
    assert line_of(exc_info=(None, None, None))["exception"] is None
    assert line_of(exc_text="as it was")["exception"] == "as it was"


def test_extra_with_a_reserved_name() -> None:
    """An extra does not replace a key that every line has."""
    said = line_of("said", time="never", level="none", logger="nobody", other=1)

    assert datetime.fromisoformat(said["time"]).timestamp() <= time.time()
    assert (said["level"], said["logger"], said["other"]) == ("INFO", "app", 1)
    assert (said["process"], said["message"]) == (os.getpid(), "said")
    assert threading.current_thread().name not in said.values()


SIMPLE = st.none() | st.booleans() | st.integers() | st.text()


@given(
    st.text(),
    st.dictionaries(
        st.from_regex(r"x_[a-z\n]*"), st.recursive(SIMPLE, st.lists), max_size=3
    ),
)
def test_any_text(message: str, extra: dict[str, Any]) -> None:
    said = line_of(message, **extra)

    assert said["message"] == message
    assert extra.items() <= said.items()
