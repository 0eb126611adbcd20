"""Processes that end by themselves: --burst and --max-jobs."""

import math
import re
import signal
from pathlib import Path

import pytest

from tests.helpers.processes import await_slots, in_shell, put, start
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, eventually_true


def test_burst(app: Path, broker: Beanstalkd, shape: str) -> None:
    put(app, "work.put_many([{}] * 100)")
    with start(app, shape, "--burst") as process:
        assert process.exit_code() == 0

    assert process.log.count("ends") == 100
    assert broker.counts("t") == {}


def test_max_jobs(app: Path, broker: Beanstalkd, shape: str) -> None:
    put(app, "work.put_many([{}] * 100)")
    with start(app, shape, "--max-jobs", "10") as process:
        eventually(lambda: process.log.count("ends"), 100)
        await_slots(broker, shape)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    ran_in = re.findall(r"begins 0 in (\d+)", process.log)
    threads = int(shape.partition("x")[2])
    # What else runs at the end of the tenth goes on, or may just have been asked for.
    least = math.ceil(100 / (10 + 2 * (threads - 1)))
    assert process.log.count("Worker started") >= least
    assert len(set(ran_in)) >= least
    assert str(process.process.pid) not in ran_in
    assert broker.counts("t") == {}
    assert "ERROR" not in process.log


@pytest.mark.thorough
def test_max_jobs_with_long_jobs(app: Path, broker: Beanstalkd) -> None:
    """Long jobs do not pile up in processes that have run --max-jobs.

    Long and quick jobs take turns: each quick one makes its process exit.
    """
    put(app, "work.put_many({'seconds': 4 * (n % 2), 'n': n} for n in range(32))")
    most = 0

    def ended() -> int:
        nonlocal most
        most = max(most, broker.counts("t").get("reserved", 0))
        return process.log.count("ends")

    with start(app, "2x1", "--threads=2", "--max-jobs=1") as process:
        eventually(ended, 32, within=3 * DEADLINE)
        # In each place two that leave have a job each, and the next has two.
        assert most <= 8
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


def test_burst_with_max_jobs(app: Path, broker: Beanstalkd) -> None:
    put(app, "work.put_many({'n': n} for n in range(30))")
    with start(app, "2x4", "--burst", "--max-jobs=5") as process:
        assert process.exit_code() == 0
        assert sorted(re.findall(r"ends (\d+)", process.log), key=int) == [
            str(n) for n in range(30)
        ]
    assert broker.counts("t") == {}


@pytest.mark.parametrize("shape", ["1x1", "2x4"])
def test_left_thread_pool(app: Path, broker: Beanstalkd, shape: str) -> None:
    """No process waits for an idle thread pool of a task."""
    put(app, "use_pool.put_many([{}] * 9)")
    options = ("--max-jobs=2", "--shutdown-timeout=600")
    with start(app, shape, *options) as process:
        eventually(lambda: broker.counts("t"), {})
        await_slots(broker, shape)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert process.log.count("in the pool") == 9


@pytest.mark.parametrize("shape", ["1x1", "2x4"])
def test_left_thread(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A process is replaced although a task has left a thread that does not end."""
    put(app, "leave_thread.put_many({'n': n} for n in range(20))")
    options = ("--max-jobs=5", "--shutdown-timeout=0.1")
    with start(app, shape, *options) as process:
        eventually(lambda: process.log.count("has left"), 20)
        await_slots(broker, shape)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert "Traceback" not in process.log


def test_closed_stdout(app: Path, broker: Beanstalkd) -> None:
    put(app, "work.put_many([{}] * 3)", "work.options(priority=9**6).put(60)")
    closed = in_shell("exec >&-;")
    with start(app, "1x1", "--max-jobs=2", wrapped_in=closed) as process:
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.signal(signal.SIGTERM)
        process.says("Stopping, as soon as job 4")  # perhaps only at second sight
        eventually_true(lambda: process.ends_at(signal.SIGINT))
        assert process.exit_code() == 0
        assert "Error" not in process.log.replace("OSError: [Errno 9]", "")


def test_left_thread_of_the_first_process(app: Path, broker: Beanstalkd) -> None:
    """The others start, though the first has left before it was seen to work."""
    put(app, "leave_thread.put(n=1)")
    options = ("--max-jobs=1", "--shutdown-timeout=600")
    with start(app, "2x1", *options) as process:
        eventually(lambda: broker.waiting("t"), 2)
        process.signal(signal.SIGTERM)
        process.says("Stopping 3 processes")
        eventually_true(lambda: process.ends_at(signal.SIGINT))
        assert process.exit_code() == 0


def test_full_disk_under_stdout(
    app: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose output can't be flushed at its end has not crashed."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    put(app, "print_to_buffer.put_many([{}] * 3)")
    full = in_shell("exec >/dev/full;")
    with start(app, "1x1", "--max-jobs=1", wrapped_in=full) as process:
        eventually(lambda: broker.counts("t"), {})
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert "ERROR" not in process.log
