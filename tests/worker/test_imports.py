"""What a worker says of a module that can't be imported, and an app's own logging."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
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
    folder: Path,
    broker: Beanstalkd,
    *options: str,
    python: Sequence[str] = (),
    **env: str,
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "jobqueue.worker", "--import=app"]
    return subprocess.run(
        [*command, "--burst", *options],
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

    done = work(tmp_path, broker, python=python, **env)

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
TO_FILE = "logging.basicConfig(filename='own.log')"
TO_FILE_BY_FORCE = "logging.basicConfig(filename='own.log', force=True)"
TIME = r"\d{4}-\d\d-\d\d \S+ "  # begins each line of the command's


@pytest.mark.parametrize(
    ("setup", "log_format"),
    [(TO_FILE, "text"), (TO_FILE_BY_FORCE, "json"), (BY_DICT, "text")],
)
def test_log_of_the_app(
    tmp_path: Path, broker: Beanstalkd, setup: str, log_format: str
) -> None:
    """It takes the place of the command's, for the worker's lines as well."""
    write_module(tmp_path, "app", LOGS.format(setup=setup) + TASKS)
    put(broker)

    done = work(tmp_path, broker, f"--log-format={log_format}")

    log = (tmp_path / "own.log").read_text()
    assert "what the app has to say" in log
    assert "Job 1 done" in log
    assert "Job 1 done" not in done.stderr


def test_format_of_the_app(tmp_path: Path, broker: Beanstalkd) -> None:
    setup = "logging.basicConfig(format='own: %(message)s', level='DEBUG')"
    write_module(tmp_path, "app", LOGS.format(setup=setup) + TASKS)
    put(broker)

    log = work(tmp_path, broker).stderr

    assert "own: what the app has to say\nown: " in log
    assert "\nown: Job 1 done" in log


@pytest.mark.parametrize(
    ("setup", "line"),
    [
        ("", TIME + "WARNING what the app has to say"),
        ("logging.info('by the root logger')", "WARNING:app:what the app has to say"),
    ],
)
def test_no_log_of_the_app(
    tmp_path: Path, broker: Beanstalkd, setup: str, line: str
) -> None:
    """Neither its lines nor logging's own set-up changes the worker's format."""
    write_module(tmp_path, "app", LOGS.format(setup=setup) + TASKS)
    put(broker)

    log = work(tmp_path, broker).stderr

    assert re.search(f"^{line}$", log, re.MULTILINE)
    assert re.search(f"^{TIME}INFO Job 1 done", log, re.MULTILINE)
    assert log.count("what the app has to say") == log.count("Job 1 done") == 1


def test_json_despite_basic_config(tmp_path: Path, broker: Beanstalkd) -> None:
    """A format that the command line names holds for all lines."""
    write_module(tmp_path, "app", LOGS.format(setup=TO_FILE) + TASKS)
    put(broker)

    lines = work(tmp_path, broker, "--log-format=json").stderr.splitlines()

    messages = [json.loads(line)["message"] for line in lines]
    assert "what the app has to say" in messages
    assert not (tmp_path / "own.log").exists()
