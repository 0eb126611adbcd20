"""Real worker processes that keep schedules, killed and replaced."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    eventually_true,
    require_beanstalkd,
)
from tests.helpers.terminal import operate, operate_json
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
        print(json.dumps([job.func_name, int(job.due.timestamp()), job.id]), file=runs)
"""
PLAIN = """
@queue.task("t")
def f(): ...
"""

pytestmark = pytest.mark.thorough


def worker(
    folder: Path,
    broker: Beanstalkd,
    *,
    name: str = "f",
    options: str = "every=1",
    rest: str = "",
    processes: int = 2,
) -> WorkerProcess:
    module = f"tasks_{len(list(folder.glob('*.py')))}"
    write_module(folder, module, TASKS.format(name=name, options=options) + rest)
    arguments = "--import", module, "--processes", str(processes)
    return WorkerProcess(folder, *arguments, BEANSTALKD_URL=broker.url)


def dues(folder: Path, name: str = "f") -> list[int]:
    """Return for which due times a job of a task has run, each job once."""
    runs = folder / "runs"
    lines = runs.read_text().splitlines() if runs.exists() else []
    jobs = {job: due for task, due, job in map(json.loads, lines) if task == name}
    return sorted(jobs.values())


def wait_for(folder: Path, count: int, name: str = "f") -> None:
    eventually_true(lambda: len(dues(folder, name)) >= count)


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


def test_frozen_process(socket_folder: Path, tmp_path: Path) -> None:
    """The tick that it holds comes to another in time to put each due time.

    That is so on the development server. beanstalkd may forget the end of its ttr.
    """
    with Beanstalkd(socket_folder / "b.sock", program=None) as broker:
        with worker(tmp_path, broker, processes=1) as first:
            wait_for(tmp_path, 1)
            freeze_with_tick(first, broker)
            with worker(tmp_path, broker):
                wait_for(tmp_path, len(dues(tmp_path)) + 10)
                for pid in first.children():
                    os.kill(pid, signal.SIGCONT)
                wait_for(tmp_path, len(dues(tmp_path)) + 3)
                first.signal(signal.SIGTERM)  # it runs the job that it had got
                assert first.exit_code() == 0

        assert are_complete(dues(tmp_path))


def freeze_with_tick(process: WorkerProcess, broker: Beanstalkd) -> None:
    """Freeze the processes of a worker while one of them holds the tick."""

    def is_frozen() -> bool:
        for pid in process.children():
            os.kill(pid, signal.SIGSTOP)
        if broker.counts("jobqueue.schedules/t/f") == {"reserved": 1}:
            return True
        for pid in process.children():
            os.kill(pid, signal.SIGCONT)
        return False

    eventually_true(is_frozen)


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


def shown(broker: Beanstalkd) -> dict[str, tuple[str, int]]:
    """Return what each schedule says, and how many processes have it."""
    found = operate_json(broker, "schedules")["schedules"]
    return {each["name"]: (each["definition"], each["workers"]) for each in found}


def last_job(broker: Beanstalkd) -> int:
    """Return the job that the schedule of f has put last."""
    found = operate_json(broker, "schedules")["schedules"]
    (job_id,) = (each["last_job"] for each in found if each["name"] == "t/f")
    return int(job_id)


def end(process: WorkerProcess) -> None:
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0


def test_changed_schedule(broker: Beanstalkd, tmp_path: Path) -> None:
    """Newer code moves it, also while older code is there."""
    with worker(tmp_path, broker, options="every=86400"):
        eventually(lambda: shown(broker), {"t/f": ("every 86400 s", 2)})
        with worker(tmp_path, broker, options="every=1"):
            eventually(lambda: shown(broker), {"t/f": ("every 1 s", 4)})
            wait_for(tmp_path, 2)


@pytest.mark.parametrize("rest", [PLAIN, ""], ids=["removed", "renamed"])
def test_schedule_whose_code_is_gone(
    broker: Beanstalkd, tmp_path: Path, rest: str
) -> None:
    """It puts nothing, is shown as nobody's, and stays away once it is deleted.

    The new code has another task that is due each second.
    """
    with worker(tmp_path, broker) as old:
        wait_for(tmp_path, 1)
        refused = operate(broker, "schedules", "delete", "f")
        assert "t/f is the schedule of a task that 2 worker" in refused.stderr
        end(old)
    last = last_job(broker)
    current = {"t/g": ("every 1 s", 2)}

    with worker(tmp_path, broker, name="g", rest=rest) as new:
        wait_for(tmp_path, 2, "g")
        eventually(lambda: shown(broker), {"t/f": ("every 1 s", 0)} | current)
        assert "No worker has 1 of them" in operate(broker, "schedules").stderr
        assert last_job(broker) == last
        assert operate(broker, "schedules", "delete", "t/f").returncode == 0
        assert shown(broker) == current
        end(new)
    with worker(tmp_path, broker, name="g", rest=rest):
        wait_for(tmp_path, len(dues(tmp_path, "g")) + 2, "g")
        assert shown(broker) == current


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
