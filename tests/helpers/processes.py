"""Worker processes of each shape: threads in one process, and several processes."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import (
    WorkerProcess,
)

# By the number of processes and of threads in each.
OPTIONS = {
    "1x1": (),
    "2x1": ("--processes=2",),
    "2x4": ("--processes=2", "--threads=4"),
}
SHAPES = ["1x1", "2x4"]
SLOTS = {"1x1": 1, "2x4": 8}


def start(
    app: Path, shape: str, *arguments: str, wrapped_in: Sequence[str] = ()
) -> WorkerProcess:
    return WorkerProcess(
        app,
        *("--import", "tasks", "--tube", "t", *OPTIONS[shape], *arguments),
        wrapped_in=wrapped_in,
    )


def put(app: Path, *calls: str) -> None:
    """Put jobs from a process of its own, each by a call on one of the tasks."""
    script = "import tasks\n" + "\n".join(f"tasks.{call}" for call in calls)
    subprocess.run([sys.executable, "-c", script], cwd=app, check=True)


def await_slots(broker: Beanstalkd, shape: str, tube: str = "t") -> None:
    """Wait until every slot of a worker waits for a job."""
    eventually(lambda: broker.waiting(tube), SLOTS[shape])


def in_shell(first: str) -> tuple[str, ...]:
    """Return the start of a command line: a shell does `first`, then the rest."""
    return "sh", "-c", f'{first} exec "$@"', "sh"


def history(broker: Beanstalkd, job_id: int) -> tuple[str, int]:
    """Return the state of a job, and how often it was reserved."""
    stats = broker.stats_job(job_id)
    return stats["state"], stats["reserves"]
