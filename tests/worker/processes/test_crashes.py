"""Processes that die: they are replaced, and their jobs are not lost."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.helpers.processes import SLOTS, put, start
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import WorkerProcess


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
@pytest.mark.thorough
def test_process_dies_when_idle(
    app: Path, broker: Beanstalkd, how: signal.Signals
) -> None:
    """The supervisor replaces it, and the other process goes on with its job."""
    put(app, "work.put(seconds=3, n=1)")
    with start(app, "2x4") as process:
        process.says("begins 1")
        all_but_one = SLOTS["2x4"] - 1
        eventually(lambda: broker.waiting("t"), all_but_one)
        first = set(process.pids())
        (busy,) = map(int, re.findall(r"begins 1 in (\d+)", process.log))
        (idle,) = first - {busy}
        os.kill(idle, how)
        eventually(lambda: len(process.pids()), 3)
        eventually(lambda: broker.waiting("t"), all_but_one)
        process.says("ends 1")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    assert process.log.count("begins 1 ") == 1
    assert broker.counts("t") == {}
    if how != signal.SIGTERM:
        died = (
            rf"Process \d \(pid {idle}\) was killed by {how.name} while it ran no job"
        )
        assert re.search(died, process.log)


def test_process_dies_with_a_job(app: Path, broker: Beanstalkd) -> None:
    """The log names the job, and the pause before the process is replaced."""
    put(app, "die.options(priority=0).put(how=9)")
    with start(app, "2x4") as process:
        process.says(
            "was killed by SIGKILL while it ran job 1; another takes its place"
        )
        eventually(lambda: process.log.count("dies in") > 3, expected=True)
        process.says("another takes its place in ")  # growing pauses
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)

        assert process.exit_code() == 0
    eventually(lambda: broker.counts("t"), {"ready": 1})


def test_job_of_a_killed_worker(app: Path, broker: Beanstalkd) -> None:
    """Another worker gets it at once, whatever its ttr."""
    put(app, "work.options(ttr=3600).put(seconds=600)")
    with WorkerProcess(app, "--import", "tasks", new_group=True) as killed:
        killed.says("begins")
        with start(app, "1x1") as other:
            eventually(lambda: broker.waiting("t"), 1)
            killed.signal_all(signal.SIGKILL)
            other.says("begins")
            assert broker.stats_job(1)["reserves"] == 2


def test_signal_at_the_very_end(app: Path, broker: Beanstalkd) -> None:
    """A signal that ends a process in its last steps is not logged as a crash.

    Python has given up its handlers by then.
    """
    put(app, "signal_at_the_very_end.put_many([{}] * 6)")
    with start(app, "2x1", "--max-jobs=1") as process:
        eventually(lambda: process.log.count("Worker stopped"), 6)
        eventually(lambda: broker.waiting("t"), 2)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert "ERROR" not in process.log


def test_crash_after_max_jobs(app: Path) -> None:
    """The crash of a process that finishes its last job is logged."""
    put(app, "die_later.put()", "work.put()")
    with start(app, "2x4", "--max-jobs=1") as process:
        process.says("was killed by SIGKILL while it ran job 1")
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)
        assert process.exit_code() == 0
