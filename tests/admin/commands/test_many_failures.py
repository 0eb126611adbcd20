"""Many jobs fail in six ways: seen and acted on by a process with nothing but a URL."""

import json
from pathlib import Path
from typing import Any

from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import body, operate_in_a_process
from tests.helpers.worker_process import WorkerProcess

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

# The tube, the function, the error, how many jobs fail like this, and their retries.
WAYS = [
    ("a", "crash", "CrashLoopError", 2, 0),
    ("a", "divide", "ZeroDivisionError", 60, 0),
    ("a", "fetch", "TimeoutError", 50, 50),
    ("b", "close", "Bury", 40, 0),
    ("b", "nobody", "BadJobError", 58, 0),
    ("b", "takes_nothing", "BadJobError", 30, 0),
]


def put_all(broker: Beanstalkd) -> dict[str, list[int]]:
    """Put the jobs, and return their ids by function."""
    with OperatorConnection(Address.parse(broker.url)) as connection:
        return {
            func_name: connection.put_many(
                tube,
                (body(n, tube, func_name) for n in range(count)),
                PutOptions(priority=count),
            )
            for tube, func_name, _, count, _ in WAYS
        }


def test_each_way_is_told_and_kicked(broker: Beanstalkd, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    ids = put_all(broker)
    worker = ("--import", "tasks", "--burst")
    with WorkerProcess(tmp_path, *worker, BEANSTALKD_URL=broker.url) as process:
        process.exit_code()

    done = operate_in_a_process(broker, "failures", "--json")
    kick = ("kick", "--func", "fetch", "--error", "TimeoutError", "--yes")
    kicked = operate_in_a_process(broker, *kick)

    groups: list[dict[str, Any]] = json.loads(done.stdout)["failures"]
    keys = ("tube", "func_name", "error", "failed", "retries")
    assert sorted(tuple(group[key] for key in keys) for group in groups) == WAYS
    assert [group["buried"] for group in groups] == [g["failed"] for g in groups]
    assert kicked.stdout == "Kicked 50 buried jobs of tube 'a'\n"
    assert broker.counts("a") == {"ready": 50, "buried": 62}
    assert broker.counts("b") == {"buried": 128}
    with OperatorConnection(Address.parse(broker.url)) as connection:
        states = {job.state for job in connection.jobs(ids["fetch"]) if job}
    assert states == {"ready"}
