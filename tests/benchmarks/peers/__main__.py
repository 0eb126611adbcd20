"""Measure jobqueue beside its peers.

python -m tests.benchmarks.peers [--quick] [--only put,work] [--libraries jobqueue,RQ]
python -m tests.benchmarks.peers --render FILE [--publish]
"""

import argparse
import dataclasses
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.peers import (
    environment,
    measure_backlog,
    measure_enqueue,
    measure_floors,
    measure_imports,
    measure_latency,
    measure_resources,
    measure_work,
    plots,
    table,
)
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.claims import verdicts
from tests.benchmarks.peers.contenders import NAMES, Contender, named
from tests.benchmarks.peers.publish import publish
from tests.benchmarks.peers.result import Notebook, Result
from tests.benchmarks.peers.settings import FULL, QUICK, Settings

EACH: dict[str, Callable[[Bench, Contender], None]] = {
    "put": measure_enqueue.measure,
    "work": measure_work.noop,
    "waiting": measure_work.waiting,
    "latency": measure_latency.measure,
    "memory": measure_resources.memory,
}
ALL: dict[str, Callable[[Bench, list[Contender]], None]] = {
    "idle": measure_resources.idle,
    "imports": measure_imports.measure,
    "floors": lambda bench, _: measure_floors.measure(bench),
}
PARTS = (*EACH, *ALL, "backlog")
RESULTS = "results.json"
FAILURES = (RuntimeError, OSError, ValueError)


def main() -> None:
    """Measure or read results, then print and draw them."""
    options = make_parser().parse_args()
    # Servers and workers are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    saved: Path | None = options.render
    result = Result.read(saved) if saved else Run(options).run()
    show(result)
    for path in plots.write_all(result, output / "plots"):
        print(f"drawn: {path}")
    if options.publish:
        publish(result)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.peers",
        description="Measure jobqueue beside its peers.",
    )
    add = parser.add_argument
    add("--only", type=_names(PARTS), default=list(PARTS), help=", ".join(PARTS))
    add("--libraries", type=_names(NAMES), default=list(NAMES), help=", ".join(NAMES))
    add("--rounds", type=int, help="(default: 3)")
    add("--quick", action="store_true", help="only see that everything works")
    add("--backlog-limit", type=int, default=sys.maxsize, help="in jobs")
    add("--fill-budget", type=int, help="seconds for a backlog to be filled in")
    add(
        "--python",
        default="new",
        help="where the libraries are: 'new' installs them, 'current', or a path",
    )
    add("--output", type=Path, default=environment.FOLDER, help="a folder")
    add("--render", type=Path, metavar="FILE", help="show saved results, don't measure")
    add(
        "--publish",
        action="store_true",
        help="write into docs, README.md and this folder",
    )
    return parser


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Return a function that splits a list, and refuses unknown names."""
    by_name = {name.lower(): name for name in known}

    def split(text: str) -> list[str]:
        try:
            return [by_name[name.strip().lower()] for name in text.split(",")]
        except KeyError as error:
            raise argparse.ArgumentTypeError(
                f"{error} is none of {', '.join(known)}"
            ) from None

    return split


class Run:
    """All measurements, in rounds in which the libraries take turns.

    Results are saved after each, so that an interrupt loses none.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._settings = _settings(options)
        self._contenders = [named(name) for name in options.libraries]
        self._book = Notebook()
        self._started = time.monotonic()
        self._versions: dict[str, str] = {}

    def run(self) -> Result:
        """Make the measurements that were chosen."""
        python = environment.python(self._options.python)
        self._versions = environment.versions(python, self._contenders)
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(python, Path(folder), self._settings, self._book)
            for number in range(self._settings.rounds):
                self._round(bench, number)
            self._backlog(bench)
        return self._result()

    def _round(self, bench: Bench, number: int) -> None:
        # Another library begins each round.
        first = number % len(self._contenders)
        turns = self._contenders[first:] + self._contenders[:first]
        for name, measure in EACH.items():
            for contender in turns:
                self._attempt(name, contender.name, partial(measure, bench, contender))
        for name, measure_all in ALL.items():
            self._attempt(name, "all", partial(measure_all, bench, turns))

    def _backlog(self, bench: Bench) -> None:
        limit = self._options.backlog_limit
        for contender in self._contenders:
            measure = partial(measure_backlog.measure, bench, contender, limit)
            self._attempt("backlog", contender.name, measure)

    def _attempt(self, part: str, library: str, measure: Callable[[], None]) -> None:
        """Make a measurement if it was chosen; its failure costs no other figure."""
        if part not in self._options.only:
            return
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        print(f"{minutes:2}:{seconds:02} {part}: {library}", flush=True)
        try:
            measure()
        except FAILURES as error:
            print(f"FAILED {part}: {library}: {error}", flush=True)
        self._result().write(self._options.output / RESULTS)

    def _result(self) -> Result:
        return Result(
            command=_command(self._options),
            date=time.strftime("%Y-%m-%d"),
            machine=environment.machine(),
            versions=self._versions,
            sizes=dataclasses.asdict(self._settings),
            figures=self._book.figures(),
        )


def _settings(options: argparse.Namespace) -> Settings:
    """Return the sizes, changed by the options of the command line."""
    changes = {"rounds": options.rounds, "fill_budget": options.fill_budget}
    given = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(QUICK if options.quick else FULL, **given)


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats the run."""
    words = ["python", "-m", "tests.benchmarks.peers"]
    defaults = make_parser().parse_args([])
    for name in ("only", "libraries", "rounds", "backlog_limit", "fill_budget"):
        value = getattr(options, name)
        if value != getattr(defaults, name):
            text = ",".join(value) if isinstance(value, list) else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    return shlex.join(words + ["--quick"] * options.quick)


def show(result: Result) -> None:
    """Print tables and ratios."""
    print(f"\n{table.environment(result)}\n\n{table.long_table(result)}")
    print(table.floor_table(result))
    if "--quick" not in result.command.split():
        for verdict in verdicts(result):
            print(verdict)


if __name__ == "__main__":
    main()
