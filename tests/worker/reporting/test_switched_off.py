"""A task that switches logging off: the failures after it are logged all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import WorkerProcess

TASKS = """
import logging, logging.config, io
from jobqueue import JobQueue

queue = JobQueue()
INI = '''[loggers]
keys=root
[handlers]
keys=h
[formatters]
keys=
[logger_root]
level=WARNING
handlers=h
[handler_h]
class=StreamHandler
args=()
'''

def dict_config():
    handlers = {"h": {"class": "logging.StreamHandler"}}
    root = {"handlers": ["h"], "level": "INFO"}
    logging.config.dictConfig({"version": 1, "handlers": handlers, "root": root})

def file_config():
    logging.config.fileConfig(io.StringIO(INI))

def no_handlers():
    logging.getLogger().handlers.clear()

def disable():
    logging.disable(logging.CRITICAL)

def shutdown():
    logging.shutdown()

def logger():
    logging.getLogger("jobqueue.worker").disabled = True

@queue.task("t")
def switch_off(how):
    globals()[how]()
    raise KeyError("in the same job")

@queue.task("t")
def fail():
    raise ValueError("important")
"""


@pytest.mark.parametrize(
    "how",
    ["dict_config", "file_config", "no_handlers", "disable", "shutdown", "logger"],
)
def test_failures_are_logged(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    (tmp_path / "tasks.py").write_text(TASKS)
    script = f"import tasks; tasks.switch_off.put({how!r}); tasks.fail.put()"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)

    with WorkerProcess(tmp_path, "--import", "tasks", "--burst") as process:
        assert process.exit_code() == 0

    assert "KeyError: 'in the same job'" in process.log
    assert "ValueError: important" in process.log
