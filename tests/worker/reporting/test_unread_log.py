"""A log that nobody reads for a while."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, eventually, eventually_true

TASKS = """
import time
from pathlib import Path
from jobqueue import JobQueue

queue = JobQueue()

@queue.task("t", ttr=1)
def wait():
    while not Path("end").exists():
        time.sleep(0.01)

@queue.task("t")
def fail():
    raise ValueError
"""
PUT = "import tasks; tasks.wait.put(); tasks.fail.put_many([{}] * 9)"
WORKER = [sys.executable, "-m", "jobqueue.worker", "--import=tasks", "--threads=2"]


def full_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    return reading, writing


def test_unread_log(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No job begins, and the one that runs is kept; all go on when it is read again."""
    (tmp_path / "tasks.py").write_text(TASKS)
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    subprocess.run([sys.executable, "-c", PUT], cwd=tmp_path, check=True)
    reading, writing = full_pipe()
    with (
        os.fdopen(reading, "rb") as pipe,
        broker.client("t") as client,
        subprocess.Popen(
            [*WORKER, "--log-level=warning"], cwd=tmp_path, stderr=writing
        ) as process,
    ):
        os.close(writing)
        eventually(lambda: broker.counts("t").get("buried"), 1)
        eventually_true(lambda: client.stats()["cmd-touch"] >= 3)
        assert broker.stats_job(1)["timeouts"] == 0
        (tmp_path / "end").touch()
        eventually(lambda: client.stats()["cmd-delete"], 1)
        assert broker.counts("t")["buried"] <= 2

        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.extend(pipe))
        reader.start()
        eventually(lambda: broker.counts("t"), {"buried": 9})
        process.send_signal(signal.SIGTERM)
        reader.join()

    assert process.returncode == 0
    assert len([line for line in lines if line.startswith(b"ValueError")]) == 9
