"""A process that can't be replaced at once, and what replaced ones leave behind."""

import signal
from pathlib import Path

import pytest

from tests.helpers.processes import put, start
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import PROC, WorkerProcess, is_running, write_module

FAILING_FORK = """
import errno, os
calls, fork = [], os.fork
def fork_or_fail():
    calls.append(1)
    if len(calls) == 2:
        raise OSError(errno.{name}, os.strerror(errno.{name}))
    return fork()
os.fork = fork_or_fail
"""

NO_INTERPRETER = """
import sys, threading, time
threading.Thread(target=time.sleep, args=(999,), daemon=True).start()  # so: no fork
sys.executable = "/nowhere/python"
"""


def with_site(app: Path, source: str, *options: str) -> WorkerProcess:
    """Start a worker whose interpreter first runs some code, as a site may do."""
    write_module(app, "sitecustomize", source)
    wrapped_in = ("env", f"PYTHONPATH={app}")
    return start(app, "1x1", *options, wrapped_in=wrapped_in)


@pytest.mark.skipif(not PROC.exists(), reason="processes are forked on Linux alone")
@pytest.mark.parametrize("name", ["EAGAIN", "ENOMEM"])
def test_fork_fails(app: Path, broker: Beanstalkd, name: str) -> None:
    """The supervisor says so, and tries again."""
    put(app, "work.put_many([{}] * 3)")
    with with_site(app, FAILING_FORK.format(name=name), "--max-jobs=1") as process:
        eventually(lambda: broker.counts("t"), {})
        process.signal(signal.SIGTERM)

        assert process.exit_code() == 0
    assert process.log.count("Process 1 can't be started ([Errno ") == 1
    assert process.log.count("ends 0") == 3


def test_interpreter_is_gone(app: Path, broker: Beanstalkd) -> None:
    """As in an upgrade: a worker that can't start says so, and stays."""
    put(app, "work.put()")
    with with_site(app, NO_INTERPRETER) as process:
        process.says("can't be started ([Errno 2] No such file or directory")
        assert process.process.poll() is None
        process.signal(signal.SIGTERM)

        assert process.exit_code() == 0
    assert broker.counts("t") == {"ready": 1}


def test_code_is_gone(app: Path, broker: Beanstalkd) -> None:
    """As in a deploy: the supervisor goes on trying, until the code is there again."""
    with start(app, "1x1", "--max-jobs=1") as process:
        eventually(lambda: broker.waiting("t"), 1)
        (app / "tasks.py").rename(app / "tasks.txt")
        with broker.client("t") as client:
            body = b'{"func_name":"work","tube":"t","kwargs":{}}'
            for _ in range(2):
                client.put(body)
        process.says("can't import tasks")
        process.says("has exited with status 2")
        (app / "tasks.txt").rename(app / "tasks.py")
        eventually(lambda: broker.counts("t"), {})
        process.signal(signal.SIGTERM)

        assert process.exit_code() == 0


@pytest.mark.skipif(not PROC.exists(), reason="needs /proc, of Linux")
def test_no_zombies(app: Path, broker: Beanstalkd) -> None:
    """Neither replaced processes nor what their tasks have started stays behind."""
    put(app, "run_program.put_many([dict(seconds=0)] * 8)")
    with start(app, "1x1", "--max-jobs=1") as process:
        eventually(lambda: broker.counts("t"), {})

        def zombies() -> list[int]:
            return [pid for pid in process.children() if not is_running(pid)]

        eventually(zombies, [])
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
