"""Signals that reach more processes than the one that they are meant for."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobqueue.worker.processes.signals import STOP_SIGNALS
from tests.helpers.processes import OPTIONS, put, start
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually
from tests.helpers.worker_process import WorkerProcess

RUNS = re.compile(r"runs (\d+) in (\d+)")


def pids_in(log: str) -> list[int]:
    """Return the process that a task waits for, and that of the worker."""
    found = RUNS.search(log)
    assert found is not None
    return [int(pid) for pid in found.groups()]


@pytest.mark.parametrize("signum", STOP_SIGNALS)
@pytest.mark.thorough
def test_signal_to_the_group(
    app: Path, broker: Beanstalkd, shape: str, signum: signal.Signals
) -> None:
    """The processes that tasks wait for go on."""
    put(app, "run_program.put(seconds=1)")
    options = ("--import", "tasks", "--tube", "t", *OPTIONS[shape])
    with WorkerProcess(app, *options, new_group=True) as process:
        process.says("runs")
        process.signal_group(signum)

        assert process.exit_code() == 0
    assert "has run 1" in process.log
    assert broker.counts("t") == {}


@pytest.mark.parametrize("signum", STOP_SIGNALS)
def test_signal_to_every_process(
    app: Path, broker: Beanstalkd, shape: str, signum: signal.Signals
) -> None:
    """A service manager signals them one by one: a job that fails then is put back."""
    put(app, "run_program.options(priority=7).put(seconds=600)")
    with start(app, shape) as process:
        process.says("runs")
        program, worker = pids_in(process.log)
        for pid in (process.process.pid, worker, program):
            os.kill(pid, signum)

        assert process.exit_code() == 0
    stats = broker.stats_job(1)
    assert stats["state"] in {"delayed", "ready"}
    assert (stats["pri"], stats["releases"]) == (7, 1)
    assert "Job 1 put back, as the stop's signal may have made it fail" in process.log
    assert "OSError: its program ended with status" in process.log


def test_verdict_after_a_signal(app: Path, broker: Beanstalkd, shape: str) -> None:
    """What a task has asked for itself is no work of the signal."""
    put(app, "run_program.put(seconds=600, verdict=True)")
    with start(app, shape) as process:
        process.says("runs")
        program, worker = pids_in(process.log)
        for pid in (process.process.pid, worker, program):
            os.kill(pid, signal.SIGTERM)

        assert process.exit_code() == 0
    assert broker.counts("t") == {"buried": 1}


def test_failure_without_a_signal(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A stop that only the supervisor was told excuses no failure."""
    put(app, "run_program.put(seconds=600)")
    with start(app, shape) as process:
        process.says("runs")
        process.signal(signal.SIGTERM)
        process.says("Stopping, as soon as job 1 is finished")
        os.kill(pids_in(process.log)[0], signal.SIGTERM)

        assert process.exit_code() == 0
    assert broker.counts("t") == {"buried": 1}


def test_terminal_at_the_standard_input(app: Path, broker: Beanstalkd) -> None:
    """One process may read from it, so it stays in the group that Ctrl-C reaches."""
    put(app, "run_program.put(seconds=600)")
    master, terminal = pty.openpty()
    log = app / "log"
    command = [sys.executable, "-m", "jobqueue.worker", "--import", "tasks"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=app, stdin=terminal, stdout=out, stderr=out, process_group=0
        )
    try:
        eventually(lambda: RUNS.search(log.read_text()) is not None, expected=True)
        worker = pids_in(log.read_text())[1]
        assert os.getpgid(worker) == process.pid
        os.killpg(process.pid, signal.SIGINT)

        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        os.close(master)
        os.close(terminal)
    assert broker.stats_job(1)["state"] in {"delayed", "ready"}
