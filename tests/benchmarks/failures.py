"""What notes of failures cost: workers that put them, beside workers that put none.

    python tests/benchmarks/failures.py [--jobs N] [--rounds N]

Starts a beanstalkd of its own, and workers in this process, which write their log to
the null device, as text with tracebacks. They take turns in every round, so that a slow
moment of the machine hits both alike; what counts are the ratios.
"""

import argparse
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from jobqueue import JobQueue, Worker

sys.path.insert(0, str(Path(__file__).parents[2]))
from jobqueue.worker.reporting.log_format import TEXT, TextLines
from tests.benchmarks import contest
from tests.benchmarks.worker import Count, rate_here, show
from tests.helpers.servers import REAL, Beanstalkd, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP = 3  # rounds
RETRIES = 3
KEPT = {"notes": 1000, "no notes": 0}


def main() -> None:
    """Measure, and print rates and ratios."""
    parser = argparse.ArgumentParser(description="What do notes of failures cost?")
    parser.add_argument("--jobs", type=int, default=1000, help="each, in each round")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    log_to_null_device()
    with (
        Beanstalkd(free_port(), program=REAL) as broker,
        contest.pinned(contest.ONE_CORE, broker.pid, os.getpid()),
    ):
        for kind in ("done", "buried", "retried"):
            compare(broker.url, kind, options.jobs, options.rounds)


def log_to_null_device() -> None:
    """Log as the command does, but for where to."""
    handler = logging.StreamHandler(open(os.devnull, "w"))  # noqa: PTH123, SIM115
    handler.setFormatter(TextLines(TEXT))
    logging.basicConfig(level="WARNING", handlers=[handler])


class Failing(Count):
    """A task that counts its runs, and fails a few calls deeper."""

    def fail(self) -> None:
        """Count, and raise an error."""
        self.no_op()
        self.deeper(4)

    def deeper(self, calls: int) -> None:
        """Raise an error after some calls."""
        if not calls:
            raise ValueError("no")
        self.deeper(calls - 1)


def compare(url: str, kind: str, jobs: int, rounds: int) -> None:
    """Compare two workers whose jobs end in one way."""
    count = Failing()
    queue = JobQueue(url, retries=RETRIES if kind == "retried" else 0, backoff=0)
    function: Callable[[], None] = count.no_op if kind == "done" else count.fail
    tasks = {
        name: queue.task(f"{kind}-{kept}")(function) for name, kept in KEPT.items()
    }
    workers = {
        name: Worker([f"{kind}-{kept}"], failures_kept=kept)
        for name, kept in KEPT.items()
    }
    slots = [threading.Thread(target=worker.run) for worker in workers.values()]
    for slot in slots:
        slot.start()
    runs = jobs * (RETRIES + 1) if kind == "retried" else jobs
    rates: dict[str, list[float]] = {name: [] for name in KEPT}
    for number in range(WARM_UP + rounds):
        for name, task in tasks.items():
            rate = rate_here(task.put_many, count, jobs, runs)
            if number >= WARM_UP:
                rates[name].append(rate)
    for worker in workers.values():
        worker.stop()
    for slot in slots:
        slot.join()
    queue.close()
    show(kind, rates)


if __name__ == "__main__":
    main()
