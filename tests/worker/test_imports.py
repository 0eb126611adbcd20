"""What a worker says of a module that can't be imported, and an app's own logging."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import environment, put
from tests.helpers.worker_process import write_module

TASKS = """
from jobqueue import JobQueue

@JobQueue.task("t")
def send(n): ...
"""


def work(
    folder: Path, broker: Beanstalkd, *python: str, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, "-m", "jobqueue.worker", "--import=app", "--burst"],
        cwd=folder,
        env=environment(broker, **env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("python", "env"),
    [(["-P"], {}), (["-I"], {}), ([], {"PYTHONSAFEPATH": "1"})],
)
def test_safe_path(
    tmp_path: Path, broker: Beanstalkd, python: list[str], env: dict[str, str]
) -> None:
    """It does not say that it looked where it did not look."""
    write_module(tmp_path, "app", TASKS)

    done = work(tmp_path, broker, *python, **env)

    assert done.returncode == 2
    assert "No module named 'app' (Python does not look into" in done.stderr
    assert "looked for from" not in done.stderr


def test_safe_path_with_pythonpath(tmp_path: Path, broker: Beanstalkd) -> None:
    """The current folder may be searched nevertheless."""
    env = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(tmp_path)}

    assert f"(looked for from {tmp_path})" in work(tmp_path, broker, **env).stderr
    write_module(tmp_path, "app", TASKS)
    assert work(tmp_path, broker, **env).returncode == 0


def test_missing_module(tmp_path: Path, broker: Beanstalkd) -> None:
    assert f"(looked for from {tmp_path})" in work(tmp_path, broker).stderr


LOGS = """
import logging, logging.config
{setup}
logging.getLogger("app").warning("what the app has to say")
"""


BY_DICT = """
logging.config.dictConfig({
    "version": 1,
    "handlers": {"own": {"class": "logging.FileHandler", "filename": "own.log"}},
    "root": {"handlers": ["own"], "level": "INFO"},
})
"""


@pytest.mark.parametrize(
    ("setup", "is_own"),
    [
        ("logging.basicConfig(filename='own.log')", False),
        ("logging.basicConfig(filename='own.log', force=True)", True),
        (BY_DICT, True),
    ],
)
def test_logging_of_the_app(
    tmp_path: Path, broker: Beanstalkd, setup: str, *, is_own: bool
) -> None:
    """It takes the place of the command's as the README says."""
    write_module(tmp_path, "app", LOGS.format(setup=setup) + TASKS)
    put(broker)

    done = work(tmp_path, broker)

    own = tmp_path / "own.log"
    log = own.read_text() if is_own else done.stderr
    assert own.exists() == is_own
    assert "what the app has to say" in log
    assert "Job 1 done" in log
