"""What the options of a worker cost, on one core and on two; also beside a base.

Async slots are also measured where the kernel places all processes itself, as the
threads that they go without would be on any core then.

    python tests/benchmarks/options.py [--base PATH_OR_REF] [--jobs N] [--rounds N]

Starts a beanstalkd of its own, and a real worker for each option, which all wait for
jobs. In each round, each gets its jobs while the others sleep. With a base, each option
also has a worker that runs the code of that checkout.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks import contest
from tests.benchmarks.contest import Figure, Figures
from tests.helpers.paths import ROOT
from tests.helpers.servers import REAL, Beanstalkd, eventually, free_port
from tests.helpers.worker_process import copy_app

BASE = "base "  # before the names of the contenders of that checkout
WARM_UP = 3  # rounds
SETTLE = 0.7  # seconds: for half a second a new worker asks about each job
WARNING = ("--log-level", "warning")
PORT = "{port}"  # stands for a free one
PAUSE = 60  # seconds that a tube is paused for, at most


class Option(NamedTuple):
    """A way to start a worker."""

    arguments: Sequence[str] = WARNING
    func_name: str = "no_op"
    beside: str = ""  # another task of the worker
    slots: int = 1
    tubes: int = 1
    jobs: float = 1  # times those of the others


OPTIONS = {
    "warning": Option(),
    "info": Option(()),
    "JSON": Option(("--log-format", "json")),
    "time limit": Option((*WARNING, "--time-limit", "60")),
    "metrics": Option((*WARNING, "--metrics-port", PORT)),
    "all of them": Option(
        ("--log-format", "json", "--time-limit", "60", "--metrics-port", PORT)
    ),
    "1000 tubes": Option(tubes=1000),
    "3 threads": Option(slots=3),
    "failing with notes": Option((), func_name="fail", jobs=0.5),
    "failing without notes": Option(
        ("--failures-kept", "0"), func_name="fail", jobs=0.5
    ),
}
_IN_THREADS = "200 async slots in threads"
ASYNC = {
    "200 async slots": Option(func_name="wait_async", slots=200, jobs=2),
    _IN_THREADS: Option(func_name="wait_async", beside="no_op", slots=200, jobs=2),
}
POSSIBLE = 2000  # jobs/s, in 200 slots
RATIOS = (
    ("info", "warning"),
    ("JSON", "warning"),
    ("time limit", "warning"),
    ("metrics", "warning"),
    ("all of them", "warning"),
    ("1000 tubes", "warning"),
    ("3 threads", "warning"),
    ("failing with notes", "failing without notes"),
    ("200 async slots", _IN_THREADS),
)


def main() -> None:
    """Measure, and print rates and ratios."""
    parser = argparse.ArgumentParser(description="What do a worker's options cost?")
    parser.add_argument("--base", help="a checkout, or a git ref, to compare with")
    parser.add_argument("--jobs", type=int, default=2000, help="each, in each round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", help="some options, with commas between them")
    modes = (*contest.MODES, contest.ANY_CORE)
    parser.add_argument("--mode", choices=modes, help="one mode only")
    options = parser.parse_args()
    wanted = {
        name: option
        for name, option in (OPTIONS | ASYNC).items()
        if options.only is None or name in options.only.split(",")
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = {"": ROOT}
        if options.base:
            sources[BASE] = contest.checkout(options.base, folder)
        for mode in modes:
            found = wanted
            if mode == contest.ANY_CORE:
                found = {name: wanted[name] for name in ASYNC if name in wanted}
            if found and options.mode in {None, mode}:
                Contest(folder, sources, found, options.jobs).run(mode, options.rounds)


class Contest(NamedTuple):
    """Workers with each of the options, of each of the checkouts."""

    folder: Path
    sources: dict[str, Path]
    options: dict[str, Option]
    jobs: int

    def run(self, mode: str, rounds: int) -> None:
        """Measure in one mode, and print what was found."""
        figures = self._measure(mode, rounds)
        contest.show_figures(f"{mode}:", figures)
        for name in ASYNC.keys() & self.options.keys():
            show_share(figures, name)
        for prefix in self.sources:
            for name, other in RATIOS:
                if {name, other} <= self.options.keys():
                    contest.show_ratio(figures, f"{prefix}{name}", f"{prefix}{other}")
        if BASE in self.sources:
            for name in self.options:
                contest.show_ratio(figures, name, f"{BASE}{name}")

    def _measure(self, mode: str, rounds: int) -> Figures:
        figures: Figures = {}
        with Beanstalkd(free_port(), program=REAL) as broker, ExitStack() as stack:
            contenders = {
                f"{prefix}{name}": stack.enter_context(
                    contending(
                        broker,
                        self.folder,
                        source,
                        option,
                        int(self.jobs * option.jobs),
                    )
                )
                for name, option in self.options.items()
                for prefix, source in self.sources.items()
            }
            pids = [contender.pid for contender in contenders.values()]
            with contest.pinned(mode, broker.pid, *pids):
                for number in range(WARM_UP + rounds):
                    if number == 1:
                        time.sleep(SETTLE)
                    for name, contender in contenders.items():
                        figure = contender.round()
                        if number >= WARM_UP:
                            figures.setdefault(name, []).append(figure)
        return figures


def show_share(figures: Figures, name: str) -> None:
    """Print how near jobs that wait for 100 ms come to the possible rate."""
    shares = [figure.rate / POSSIBLE for figure in figures[name]]
    print(
        f"{name}: {statistics.median(shares):.2f} of the possible "
        f"({min(shares):.2f} to {max(shares):.2f})"
    )


class Contender:
    """A worker that waits for its jobs."""

    def __init__(
        self, broker: Beanstalkd, tube: str, func_name: str, jobs: int, report: Path
    ) -> None:
        self.pid = 0
        self._broker = broker
        self._tube = tube
        self._jobs = jobs
        self._report = report
        body = f'{{"func_name":"{func_name}","tube":"{tube}","kwargs":{{}}}}'
        self._put = f"put 100 0 600 {len(body)}\r\n{body}\r\n".encode()

    def round(self) -> Figure:
        """Put the jobs into the paused tube, and measure how long they take."""
        with self._broker.client(self._tube) as client:
            client.pause_tube(self._tube, PAUSE)
            replies = client._reader
            for _ in range(0, self._jobs, 100):
                count = min(100, self._jobs)
                client._sock.sendall(self._put * count)
                for _ in range(count):
                    replies.readline()
            before = contest.cpu_of(self._broker.pid)
            client.pause_tube(self._tube, 0)
            with self._report.open() as report:
                seconds, cpu = map(float, report.read().split())
            broker_cpu = contest.cpu_of(self._broker.pid) - before
            for _ in range(self._jobs):  # those that have failed
                job = client.peek_buried() if b"fail" in self._put else None
                if job is None:
                    break
                client.delete(job)
        return Figure.of(self._jobs, seconds, cpu, broker_cpu)


@contextmanager
def contending(
    broker: Beanstalkd, folder: Path, source: Path, option: Option, jobs: int
) -> Iterator[Contender]:
    """Start a worker, and end it."""
    jobs = max(100, jobs // 100 * 100)
    tube = f"contest-{time.monotonic_ns()}"
    place = folder / tube
    place.mkdir()
    report = place / "report"
    os.mkfifo(report)
    copy_app("contest", place)
    command = [sys.executable, "-m", "jobqueue.worker", "--import", "tasks"]
    arguments = [text.format(port=free_port()) for text in option.arguments]
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen(
            [*command, "--threads", str(option.slots), *arguments],
            cwd=place,
            env=contest.environment(
                source,
                BEANSTALKD_URL=broker.url,
                CONTEST_JOBS=str(jobs),
                CONTEST_TUBE=tube,
                CONTEST_REPORT=str(report),
                CONTEST_FUNC_NAMES=f"{option.func_name} {option.beside}",
                CONTEST_MORE_TUBES=str(option.tubes - 1),
            ),
            stderr=log,
        ) as process,
    ):
        contender = Contender(broker, tube, option.func_name, jobs, report)
        eventually(lambda: broker.waiting(tube), option.slots)
        contender.pid = contest.child_of(process.pid)
        try:
            yield contender
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
