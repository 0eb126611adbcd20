"""Real worker processes that keep schedules, killed and replaced."""

import json
import os
import signal
from pathlib import Path

import pytest

from jobqueue import Operator
from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    eventually_true,
    require_beanstalkd,
)
from tests.helpers.worker_process import WorkerProcess, write_module

TASKS = """
import json
from pathlib import Path
from jobqueue import JobQueue, current_job

queue = JobQueue(max_lost=None)

@queue.task("t", {options})
def {name}():
    job = current_job()
    with Path("runs").open("a") as runs:
        print(json.dumps([int(job.due.timestamp()), job.id]), file=runs)
"""

pytestmark = pytest.mark.thorough


def worker(
    folder: Path, broker: Beanstalkd, name: str = "f", options: str = "every=1"
) -> WorkerProcess:
    module = f"tasks_{len(list(folder.glob('*.py')))}"
    write_module(folder, module, TASKS.format(name=name, options=options))
    arguments = "--import", module, "--processes", "2"
    return WorkerProcess(folder, *arguments, BEANSTALKD_URL=broker.url)


def dues(folder: Path) -> list[int]:
    """Return for which due times a job has run, each job once."""
    runs = folder / "runs"
    lines = runs.read_text().splitlines() if runs.exists() else []
    jobs = {job: due for due, job in map(json.loads, lines)}
    return sorted(jobs.values())


def wait_for(folder: Path, count: int) -> None:
    eventually_true(lambda: len(dues(folder)) >= count)


def are_complete(found: list[int]) -> bool:
    """Return whether no due time is missing; one may be there twice."""
    return sorted(set(found)) == list(range(found[0], found[-1] + 1))


def test_killed_processes(broker: Beanstalkd, tmp_path: Path) -> None:
    with worker(tmp_path, broker) as first, worker(tmp_path, broker) as second:
        eventually_true(lambda: len(dues(tmp_path)) >= 2)
        for process in (first, second):
            wanted = len(dues(tmp_path)) + 2
            for pid in process.children():
                os.kill(pid, signal.SIGKILL)
            wait_for(tmp_path, wanted)

        assert are_complete(dues(tmp_path))


def test_restarts_of_a_broker_with_a_binlog(
    socket_folder: Path, tmp_path: Path
) -> None:
    require_beanstalkd()
    (tmp_path / "binlog").mkdir()
    options = "-b", str(tmp_path / "binlog"), "-f", "0"
    with (
        Beanstalkd(socket_folder / "b.sock", *options) as broker,
        worker(tmp_path, broker),
    ):
        for _ in range(3):
            wait_for(tmp_path, len(dues(tmp_path)) + 2)
            broker.kill()
            broker.start()
        eventually_true(lambda: len(dues(tmp_path)) >= 8)

        assert are_complete(dues(tmp_path))


def test_deploys(broker: Beanstalkd, tmp_path: Path) -> None:
    """A changed schedule is moved, and that of a renamed task stays until deleted."""
    with Operator(broker.url) as operator:

        def shown() -> dict[str, tuple[str, int]]:
            return {
                found.name: (found.definition, found.workers)
                for found in operator.schedules()
            }

        with worker(tmp_path, broker, options="every=86400") as old:
            eventually(shown, {"t/f": ("every 86400 s", 2)})
            with worker(tmp_path, broker, options="cron='0 7 * * *'") as new:
                eventually(shown, {"t/f": ("cron 0 7 * * * UTC", 4)})
                old.signal(signal.SIGTERM)
                assert old.exit_code() == 0
                new.signal(signal.SIGTERM)
                assert new.exit_code() == 0
        with worker(tmp_path, broker, name="g", options="every=1"):
            eventually_true(lambda: dues(tmp_path))
            expected = {"t/f": ("cron 0 7 * * * UTC", 0), "t/g": ("every 1 s", 2)}
            eventually(shown, expected)
            assert operator.delete_schedule("f")
            assert list(shown()) == ["t/g"]


def test_stopped_worker_hands_over(broker: Beanstalkd, tmp_path: Path) -> None:
    with worker(tmp_path, broker) as first:
        eventually_true(lambda: dues(tmp_path))
        with worker(tmp_path, broker) as second:
            second.says("Worker started")
            first.signal(signal.SIGTERM)
            assert first.exit_code() == 0
            wait_for(tmp_path, len(dues(tmp_path)) + 2)

        found = dues(tmp_path)
        assert found == list(range(found[0], found[-1] + 1))
