"""The wheel, installed where nothing else is, does the main job."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import write_module

TASKS = """
from jobqueue import JobQueue
queue = JobQueue()
@queue.task("t")
def task_one(arg1):
    print("ran with", arg1)
"""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **env} if env else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_wheel(folder: Path) -> Path:
    folder.mkdir()
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder)
    run(*pip, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


TESTS = """
from tasks import task_one
def test_by_a_worker(run_jobs):
    task_one.put("a")
    assert [job.kwargs for job in run_jobs()] == [{"arg1": "a"}]
def test_at_once(eager, capsys):
    task_one.put("a")
    assert capsys.readouterr().out == "ran with a\\n"
"""


FILES = {".py", ".html", ".css", ".js", ".svg"}  # the last ones are the page's


def check_content(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "jobqueue").rglob("*")
        if path.suffix in FILES or path.name == "py.typed"
    }

    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)


def pip(python: Path, *arguments: str | Path) -> str:
    """Run the pip of these tests on another environment, which needs none then."""
    command = (sys.executable, "-m", "pip", "--python", python, *arguments)
    return run(*command, cwd=python.parent)


@pytest.mark.timeout(600)
@pytest.mark.thorough
def test_wheel(tmp_path: Path, broker: Beanstalkd) -> None:
    """Alone it needs one other distribution, runs a job, and brings its fixtures.

    One test, as it takes some seconds to make a wheel and an environment.
    """
    wheel = make_wheel(tmp_path / "wheel")
    check_content(wheel)

    venv.create(tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    pip(python, "install", "-q", wheel)
    installed = pip(python, "list", "--format=freeze").splitlines()
    names = {line.partition("==")[0].lower() for line in installed}
    assert names == {"greenstalk", "jobqueue"}

    write_module(tmp_path, "tasks", TASKS)
    put = "import tasks; print(tasks.task_one.put('a'))"
    env = {"BEANSTALKD_URL": broker.url}
    assert run(python, "-c", put, cwd=tmp_path, **env) == "1\n"
    worker = (python, "-m", "jobqueue.worker", "--import", "tasks", "--burst")
    assert run(*worker, cwd=tmp_path, **env) == "ran with a\n"

    pip(python, "install", "-q", "pytest")
    write_module(tmp_path, "test_tasks", TESTS)
    command = (python, "-m", "pytest", "-q", "-W", "error", "test_tasks.py")
    assert "2 passed" in run(*command, cwd=tmp_path)
