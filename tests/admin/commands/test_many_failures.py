"""Many jobs fail in six ways: seen and acted on by a process with nothing but a URL."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from tests.helpers.machines import two_machines
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import body
from tests.helpers.worker_process import WorkerProcess, write_module

TASKS = """
import os

from jobqueue import Bury, JobQueue

queue = JobQueue()

@queue.task("a")
def divide(n):
    return n / 0

@queue.task("a", retries=1, backoff=0)
def fetch(n):
    raise TimeoutError("slow")

@queue.task("a", max_lost=1)
def crash(n):
    os.kill(os.getpid(), 9)

@queue.task("b")
def close(n):
    raise Bury("the account is closed")

@queue.task("b")
def takes_nothing(): ...
"""


class Way(NamedTuple):
    """How jobs fail: after these retries each, they are buried."""

    tube: str
    func_name: str
    error: str
    share: int  # of the jobs
    retries: int

    def count(self, times: int) -> int:
        """Return how many jobs fail like this: few, if a worker is killed for each."""
        return self.share if self.func_name == "crash" else self.share * times


WAYS = [
    Way("a", "crash", "CrashLoopError", 2, 0),  # its workers are killed
    Way("a", "divide", "ZeroDivisionError", 60, 0),
    Way("a", "fetch", "TimeoutError", 50, 1),
    Way("b", "close", "Bury", 40, 0),
    Way("b", "nobody", "BadJobError", 58, 0),  # no worker knows this function
    Way("b", "takes_nothing", "BadJobError", 30, 0),  # nor these arguments
]


def put_all(broker: Beanstalkd, times: int) -> dict[str, list[int]]:
    """Put the jobs, those of several functions by turns; return their ids."""
    ids: dict[str, list[int]] = {way.func_name: [] for way in WAYS}
    with OperatorConnection(Address.parse(broker.url)) as connection:
        for n in range(max(way.count(times) for way in WAYS)):
            for way in WAYS:
                if n < way.count(times):
                    job = body(n, way.tube, way.func_name)
                    options = PutOptions(priority=n % 7)
                    ids[way.func_name].append(connection.put(way.tube, job, options))
    return ids


def fail_all(broker: Beanstalkd, folder: Path, times: int = 1) -> dict[str, list[int]]:
    """Have all jobs fail, and return their ids by their functions."""
    write_module(folder, "tasks", TASKS)
    ids = put_all(broker, times)
    worker = ("--import", "tasks", "--burst")
    with WorkerProcess(folder, *worker, BEANSTALKD_URL=broker.url) as process:
        process.exit_code()
    return ids


def far_away(url: str, *arguments: str) -> str:
    """Run a command with nothing but a URL: no environment, no application."""
    command = [sys.executable, "-I", "-W", "error", "-m", "jobqueue", "--url", url]
    return subprocess.run(
        [*command, *arguments], cwd="/", env={}, capture_output=True, check=True
    ).stdout.decode()


def check_from_afar(url: str, times: int, ids: dict[str, list[int]]) -> None:
    """Check what `failures` says there, and that `kick` makes ready what it should."""
    groups: list[dict[str, Any]] = json.loads(far_away(url, "failures", "--json"))[
        "failures"
    ]
    keys = ("tube", "func_name", "error", "failed", "retries", "buried")
    assert sorted(tuple(group[key] for key in keys) for group in groups) == [
        (*way[:3], failed, failed * way.retries, failed)
        for way in WAYS
        for failed in [way.count(times)]
    ]

    kick = ("kick", "--func", "fetch", "--error", "TimeoutError", "--yes")
    kicked = far_away(url, *kick)

    assert kicked == f"Kicked {50 * times} buried jobs of tube 'a'\n"
    with OperatorConnection(Address.parse(url)) as connection:
        states = {
            func_name: {job and job.state.value for job in connection.jobs(of_func)}
            for func_name, of_func in ids.items()
        }
    expected = {way.func_name: {"buried"} for way in WAYS} | {"fetch": {"ready"}}
    assert states == expected


def test_each_way(broker: Beanstalkd, tmp_path: Path) -> None:
    check_from_afar(broker.url, 1, fail_all(broker, tmp_path))


@pytest.mark.thorough
def test_a_thousand_jobs(broker: Beanstalkd, tmp_path: Path) -> None:
    """Of each tube, less than a thousand fail, so that each failure is still noted."""
    check_from_afar(broker.url, 5, fail_all(broker, tmp_path, 5))


@pytest.mark.thorough
def test_second_machine(tmp_path: Path) -> None:
    """The commands run on another machine than the broker and the worker."""
    with two_machines() as (near, far), near.entered():
        url = f"beanstalkd://{near.address}:11300"
        with Beanstalkd(11300, "-l", "0.0.0.0") as broker:
            ids = fail_all(broker, tmp_path)
            with far.entered():
                check_from_afar(url, 1, ids)
