"""What schedules cost an idle worker, beside one whose tasks are not periodic.

    python tests/benchmarks/schedules.py [--schedules N] [--minutes N]

Starts a beanstalkd and both workers of its own, one process each. The CPU time of the
workers and of the broker is that of the system, for the whole time after the start. A
worker looks at all of its schedules once a minute, so measure some minutes.
"""

import argparse
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.helpers.servers import REAL, Beanstalkd, free_port
from tests.helpers.worker_process import WorkerProcess, write_module

WARM_UP = 10  # seconds: the start, with its first look
TICKS = os.sysconf("SC_CLK_TCK")  # a second

TASKS = """
from jobqueue import JobQueue

queue = JobQueue()

for n in range({count}):

    def task():
        pass

    task.__name__ = f"task_{{n}}"
    options = [{{"every": 86400}}, {{"cron": "0 7 * * MON-FRI", "tz": "Europe/Berlin"}}]
    queue.task(f"tube_{{n % 10}}", **(options[n % 2] if {is_periodic} else {{}}))(task)
"""


def main() -> None:
    """Measure, and print the CPU time as a share of one core."""
    parser = argparse.ArgumentParser(description="What do schedules cost when idle?")
    parser.add_argument("--schedules", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        broker = stack.enter_context(Beanstalkd(free_port(), program=REAL))
        pids = {"broker": broker.pid}
        for name, is_periodic in {"not periodic": False, "periodic": True}.items():
            module = name.replace(" ", "_")
            source = TASKS.format(count=options.schedules, is_periodic=is_periodic)
            write_module(folder, module, source)
            worker = WorkerProcess(
                folder, "--import", module, BEANSTALKD_URL=broker.url
            )
            stack.enter_context(worker)
            worker.says("Worker started")
            (pids[name],) = worker.children()
        time.sleep(WARM_UP)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        seconds = options.minutes * 60
        time.sleep(seconds)
        for name, pid in pids.items():
            used = cpu_seconds(pid) - before[name]
            share = 100 * used / seconds
            memory = resident(pid)
            print(
                f"{name:<13} {used:6.2f} s of CPU in {seconds:.0f} s: {share:.3f} % of "
                f"a core, {memory:.1f} MB resident"
            )


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
