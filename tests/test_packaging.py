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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder)
    run(*pip, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_content_of_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "jobqueue").rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }

    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)


TESTS = """
from tasks import task_one
def test_by_a_worker(run_jobs):
    task_one.put("a")
    assert [job.kwargs for job in run_jobs()] == [{"arg1": "a"}]
def test_at_once(eager, capsys):
    task_one.put("a")
    assert capsys.readouterr().out == "ran with a\\n"
"""


def test_fixtures_of_the_wheel(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "-q", wheel, "pytest", cwd=tmp_path)
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "test_tasks.py").write_text(TESTS)

    said = run(python, "-m", "pytest", "-q", "-W", "error", cwd=tmp_path)

    assert "2 passed" in said


def test_main_job_of_the_wheel(wheel: Path, tmp_path: Path, broker: Beanstalkd) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    installed = run(python, "-m", "pip", "list", "--format=freeze", cwd=tmp_path)
    names = {line.partition("==")[0].lower() for line in installed.splitlines()}
    assert names - {"pip", "setuptools"} == {"greenstalk", "jobqueue"}

    write_module(tmp_path, "tasks", TASKS)
    put = "import tasks; print(tasks.task_one.put('a'))"
    env = {"BEANSTALKD_URL": broker.url}
    assert run(python, "-c", put, cwd=tmp_path, **env) == "1\n"
    worker = (python, "-m", "jobqueue.worker", "--import", "tasks", "--burst")
    assert run(*worker, cwd=tmp_path, **env) == "ran with a\n"
