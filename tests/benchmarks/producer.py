"""How fast jobs are put, beside what the protocol allows; on one core and on two.

    python tests/benchmarks/producer.py [--base PATH_OR_REF] [--puts N] [--rounds N]

Starts a beanstalkd of its own. All ways to put take turns in every round, so that a
slow moment of the machine hits them alike; what counts are the ratios, round by round.
With a base, the code of that checkout takes turns with this one's.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks import contest
from tests.benchmarks.contest import Figure, Figures
from tests.benchmarks.putting import BATCH, TOGETHER, floors
from tests.helpers.paths import ROOT
from tests.helpers.servers import REAL, Beanstalkd, free_port

BASE = "base "  # before the names of what that checkout does
OF_JOBQUEUE = (
    "put",
    *(f"aput, {together} at a time" for together in TOGETHER),
    "put, signed",
    "put_many",
    "put_many, signed",
)
RATIOS = (
    ("put", "greenstalk, one connection"),
    ("put_many", "bare socket, 500 a write"),
    ("put", "a connection for each put"),
    *((f"aput, {together} at a time", "put") for together in TOGETHER),
    ("put, signed", "put"),
    ("put_many, signed", "put_many"),
)


def main() -> None:
    """Measure, and print rates and ratios."""
    parser = argparse.ArgumentParser(description="How fast are jobs put?")
    parser.add_argument("--base", help="a checkout, or a git ref, to compare with")
    parser.add_argument("--puts", type=int, default=2_000, help="each, in each round")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--mode", choices=contest.MODES, help="one mode only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sources = {"": ROOT}
        if options.base:
            sources[BASE] = contest.checkout(options.base, Path(folder))
        for mode in contest.MODES:
            if options.mode in {None, mode}:
                figures = measure(mode, sources, options.puts, options.rounds)
                show(mode, figures)


def measure(mode: str, sources: dict[str, Path], puts: int, rounds: int) -> Figures:
    """Return the figures of each way to put."""
    figures: Figures = {}
    with Beanstalkd(free_port(), program=REAL) as broker, ExitStack() as stack:
        putters = {
            prefix: stack.enter_context(putting(broker, source))
            for prefix, source in sources.items()
        }
        turns = [
            (prefix, way)
            for way in (*OF_JOBQUEUE, *floors(0))
            for prefix in sources
            if way in OF_JOBQUEUE or not prefix
        ]
        for prefix, way in turns:
            putters[prefix].put(way, BATCH)  # warm up
        with contest.pinned(mode, broker.pid, *(p.pid for p in putters.values())):
            for _ in range(rounds):
                for prefix, way in turns:
                    figure = putters[prefix].put(way, puts)
                    figures.setdefault(f"{prefix}{way}", []).append(figure)
    return figures


def show(mode: str, figures: Figures) -> None:
    """Print what was found."""
    contest.show_figures(f"{mode}:", figures)
    for name, other in RATIOS:
        contest.show_ratio(figures, name, other)
    for name in OF_JOBQUEUE:
        if f"{BASE}{name}" in figures:
            contest.show_ratio(figures, name, f"{BASE}{name}")


class Putting:
    """A process that puts jobs as it is told."""

    def __init__(self, process: "subprocess.Popen[str]", broker: int) -> None:
        self.pid = process.pid
        self._process = process
        self._broker = broker

    def put(self, way: str, count: int) -> Figure:
        """Put a number of jobs in one way."""
        before = contest.cpu_of(self._broker)
        print(way, count, file=self._process.stdin, flush=True)
        seconds, cpu = map(float, self.answer().split())
        broker_cpu = contest.cpu_of(self._broker) - before
        return Figure.of(count, seconds, cpu, broker_cpu)

    def answer(self) -> str:
        """Return the next line that the process has printed."""
        if self._process.stdout is None or not (
            line := self._process.stdout.readline()
        ):
            raise RuntimeError("the process that puts has ended")
        return line


@contextmanager
def putting(broker: Beanstalkd, source: Path) -> Iterator[Putting]:
    """Start a process that puts jobs with the code of a checkout, and end it."""
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("putting.py")],
        env=contest.environment(source, BEANSTALKD_URL=broker.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        putter = Putting(process, broker.pid)
        putter.answer()
        yield putter


if __name__ == "__main__":
    main()
