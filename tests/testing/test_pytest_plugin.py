"""pytest finds the fixtures of jobqueue by itself."""

import subprocess
import sys
from pathlib import Path

PROJECT = """
from jobqueue import JobQueue

queue = JobQueue("beanstalkd://broker.example.org")
sent = []

@queue.task("emails")
def send(to):
    sent.append(to)
"""


TESTS = """
import pytest
from project import send, sent

def test_with_a_broker(beanstalkd, run_jobs):
    sent.clear()
    assert send.put("ada") == 1
    assert [job.func_name for job in run_jobs()] == ["send"]
    assert run_jobs(["emails"], reraise=False) == []
    assert sent == ["ada"]

def test_eagerly(eager):
    sent.clear()
    send.put("ada")
    assert sent == ["ada"]
"""


def test_fixtures_are_found(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "test_project.py").write_text(TESTS)

    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:randomly"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert "2 passed" in done.stdout, done.stdout


def test_imports_little() -> None:
    """A run of pytest that uses no fixture imports little."""
    script = (
        "import sys, jobqueue.pytest_plugin;"
        "print({'asyncio', 'jobqueue.testing', 'unittest'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "set()\n"
