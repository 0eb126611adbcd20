"""What bodies and errors say, in the text log of a worker, and in its JSON."""

import json
import re
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import WorkerProcess, write_module

FORGED = "2026-11-27 03:30:00,000 INFO Job 99 done: pay (tube t) in 0.001 s"
EVIL = (
    f"ada\r{FORGED}\x1b[2K\x1b]0;owned\x07\x9b31m\u2028{FORGED}\x85{FORGED}\n{FORGED}"
    f"\u202e\x7f\n\n{FORGED}\f{FORGED}\v{FORGED}\x1c{FORGED}\ud800"
)
TASKS = """
import logging
from jobqueue import Bury, JobQueue, Retry

queue = JobQueue()

@queue.task("t")
def fail(text):
    error = ValueError(f"no such user: {text}")
    error.add_note(text)
    raise error

@queue.task("t", max_kicks=0)
def fail_for_good(text):
    raise ValueError(text) from KeyError(text)

@queue.task("t", retries=1, backoff=3600)
def fail_again(text):
    raise Retry(reason=text) if text == "?" else OSError(text)

@queue.task("t")
def bury(text):
    raise Bury(text)

@queue.task("t")
def group(text):
    raise ExceptionGroup(text, [ValueError(text), SyntaxError(text)])

@queue.task("t")
def log(text):
    logging.getLogger("app").warning("user %s", text)
    raise type(text[:50], (Exception,), {})(text)
"""
NAMES = ["fail", "fail_for_good", "fail_again", "bury", "group", "log"]
ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ ")


def put(broker: Beanstalkd, text: str) -> None:
    with broker.client("t") as client:
        for name in [*NAMES, "nobody", text]:
            job = {"func_name": name, "tube": "t", "kwargs": {"text": text}}
            client.put(json.dumps(job).encode())
        job = {"func_name": "bury", "tube": "t", "kwargs": {text: text}}
        client.put(json.dumps(job).encode())
        raw = {"func_name": "fail_for_good", "tube": "t", "kwargs": {"text": EVIL[:-1]}}
        client.put(json.dumps(raw, ensure_ascii=False).encode())
        client.put(EVIL[:-1].encode())


JOBS = len(NAMES) + 5


def log_of(broker: Beanstalkd, folder: Path, *options: str) -> bytes:
    write_module(folder, "tasks", TASKS)
    with WorkerProcess(
        folder,
        "--import=tasks",
        "--burst",
        "--log-level=debug",
        f"--url={broker.url}",
        *options,
    ) as process:
        assert process.exit_code() == 0
        return process.log.encode(errors="surrogateescape")


def test_text_log(broker: Beanstalkd, tmp_path: Path) -> None:
    """No character is obeyed by a terminal, and no line is taken for an entry."""
    put(broker, EVIL)

    log = log_of(broker, tmp_path).decode()

    lines = log.split("\n")
    assert all(line.replace("\t", "").isprintable() for line in lines)
    assert lines == [*log.splitlines(), ""]
    entries = [line for line in lines if ENTRY.match(line)]
    assert [line for line in lines if line[:1].isdigit()] == entries
    assert not any(line.startswith(FORGED) for line in lines)
    for job_id in range(1, JOBS + 1):
        about = [line for line in entries if re.search(rf"[Jj]ob {job_id}\b", line)]
        assert about
        assert all("Job 99 done" not in line[:60] for line in about)
    assert log.count("\nTraceback (most recent call last):\n") >= len(NAMES) - 1
    assert f"\nValueError: no such user: ada\\r{FORGED}\\x1b[2K" in log


def test_body_of_a_deleted_job(broker: Beanstalkd, tmp_path: Path) -> None:
    """It can be put again as it is in the log."""
    put(broker, EVIL)

    log = log_of(broker, tmp_path).decode()

    bodies = re.findall(r"Its body was: (.*)", log)
    assert [json.loads(body)["kwargs"] for body in bodies] == [
        {"text": EVIL},
        {"text": EVIL[:-1]},
    ]


def test_json_log(broker: Beanstalkd, tmp_path: Path) -> None:
    put(broker, EVIL)

    log = log_of(broker, tmp_path, "--log-format=json").decode("ascii")

    lines = log.split("\n")
    assert all(line.isprintable() for line in lines)
    entries = [json.loads(line, parse_constant=pytest.fail) for line in lines if line]
    assert {entry.get("job_id") for entry in entries} >= set(range(1, JOBS + 1))
    assert all("\r" not in entry["message"] for entry in entries if "job_id" in entry)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_error_of_megabytes(
    broker: Beanstalkd, tmp_path: Path, log_format: str
) -> None:
    """Its text is left out but for its ends."""
    write_module(
        tmp_path,
        "big",
        """
from jobqueue import JobQueue

@JobQueue.task("t")
def big():
    raise ValueError("x" * 8_000_000 + "the end")
""",
    )
    with broker.client("t") as client:
        client.put(b'{"func_name":"big","tube":"t","kwargs":{}}')

    log = log_of(broker, tmp_path, "--import=big", f"--log-format={log_format}")

    assert len(log) < 250_000
    assert b"characters left out" in log
    assert log.count(b"xxthe end") == 2
