"""Jobs that run for longer than their time limit, or than their ttr."""

import re
import signal
from pathlib import Path

import pytest

from tests.helpers.processes import SLOTS, history, put, start
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import (
    WorkerProcess,
)

STOPS_AT_ITS_LIMIT = ["spin", "asleep"]


IS_STUCK = ["sleep", "swallow", "swallow_async", "block_the_loop", "in_c"]


@pytest.mark.parametrize(
    ("task", "shape"),
    [
        *((task, "1x1") for task in STOPS_AT_ITS_LIMIT + IS_STUCK),
        ("spin", "2x4"),
        ("in_c", "2x4"),
    ],
)
def test_time_limit(app: Path, broker: Beanstalkd, shape: str, task: str) -> None:
    """A job past its time limit is buried, and the worker goes on."""
    put(app, f"{task}.put()")
    with start(app, shape, "--tube", "limited") as process:
        eventually(lambda: history(broker, 1), ("buried", 1))
        put(app, "work.put(n=7)")
        process.says("ends 7")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    if task in STOPS_AT_ITS_LIMIT:
        buried = f"Job 1 buried after attempt 1 of 1: {task} (tube limited) after "
        why = "TimeLimitExceeded: it ran for longer than 0.5 s"
        assert re.search(re.escape(buried) + r"\d+\.\d+ s: " + why, process.log)
    else:
        assert f"Job 1 buried: {task} (tube limited) did not stop within 5 s" in (
            process.log
        )
        assert "It is here:" in process.log
    assert broker.connections() == 0


def test_signal_while_replacing(app: Path, broker: Beanstalkd) -> None:
    """The supervisor gets a signal just before a process with a stuck job ends.

    It may have started the next process by then, and starts no further one.
    """
    with (app / "tasks.py").open("a") as file:
        file.write(
            "def signal_and_exit(status, exit=os._exit):\n"
            "    os.kill(os.getppid(), signal.SIGTERM)\n"
            "    exit(status)\n"
            "os._exit = signal_and_exit\n"
        )
    put(app, "in_c.put()")
    with start(app, "1x1", "--tube", "limited") as process:
        assert process.exit_code() == 0

    assert process.log.count("Worker started") in {1, 2}
    assert "Worker started" not in process.log.partition("Stopping: SIGTERM")[2]
    assert history(broker, 1) == ("buried", 1)


@pytest.mark.thorough
def test_job_holds_the_interpreter(
    app: Path,
) -> None:
    """No thread of the process can bury the job, so the supervisor kills it."""
    put(app, "hold_the_interpreter.put()")
    with start(app, "2x1", "--tube", "limited") as process:
        process.says("is killed: job 1 has not ended long after its time limit")
        process.says("was killed by SIGKILL while it ran job 1")
        put(app, "work.put()")
        process.says("ends")
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)
        process.exit_code()
        eventually(process.running_pids, [])


@pytest.mark.thorough
def test_suspended_past_the_time_limit(app: Path, broker: Beanstalkd) -> None:
    """As with Ctrl-Z: afterwards the process has time to interrupt the job."""
    put(app, "work.put(seconds=600)", "work.options(delay=16).put()")
    options = ("--processes=2", "--time-limit=2")
    with WorkerProcess(app, "--import", "tasks", "--tube", "t", *options) as process:
        process.says("begins")
        eventually(lambda: broker.waiting("t"), 1)
        process.signal_all(signal.SIGSTOP)
        eventually(lambda: broker.counts("t"), {"reserved": 2})
        process.signal_all(signal.SIGCONT)
        process.says("TimeLimitExceeded: it ran for longer than 2 s")
        process.says("ends")
        assert "is killed" not in process.log
    assert history(broker, 1) == ("buried", 1)


def test_time_limit_option(app: Path, broker: Beanstalkd) -> None:
    """The option is for tasks that have no time limit."""
    put(app, "work.put(seconds=600)")
    with start(app, "1x1", "--time-limit", "0.3") as process:
        process.says("TimeLimitExceeded: it ran for longer than 0.3 s")
    assert history(broker, 1) == ("buried", 1)


def test_short_ttr(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A job that runs for longer than its ttr runs once, beside an idle worker."""
    put(app, "work.options(ttr=1).put(seconds=4)")
    with start(app, shape) as busy:
        busy.says("begins")
        with start(app, "1x1") as idle:
            eventually(lambda: broker.waiting("t"), SLOTS[shape])
            busy.says("ends")
            eventually(lambda: broker.counts("t"), {})
            assert "begins" not in idle.log
    assert busy.log.count("begins") == 1
    assert "may run twice" not in busy.log
