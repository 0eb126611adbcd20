"""Contests: rounds in which contenders take turns, of one checkout or of several.

Ratios within a round are what counts: a slow moment of the machine hits all alike.
"""

import os
import statistics
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.helpers.paths import ROOT

ONE_CORE, TWO_CORES = "one core", "two cores"
MODES = (ONE_CORE, TWO_CORES)
ANY_CORE = "any core"  # as the kernel places them


class Figure(NamedTuple):
    """What one contender did in one round."""

    rate: float  # jobs/s or puts/s
    cpu: float  # microseconds of each job or put, in the contender's process
    broker_cpu: float = 0.0  # microseconds of each, in the broker

    @classmethod
    def of(cls, count: int, seconds: float, cpu: float, broker: float = 0) -> "Figure":
        return cls(count / seconds, cpu / count * 1e6, broker / count * 1e6)


Figures = dict[str, list[Figure]]  # of each contender, one a round


def checkout(base: str, folder: Path) -> Path:
    """Return the checkout to compare with: a path, or a git ref that is unpacked."""
    if (Path(base) / "jobqueue").is_dir():
        return Path(base).resolve()
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", base, "jobqueue"],
        check=True,
        stdout=subprocess.PIPE,
    )
    unpacked = folder / "base"
    unpacked.mkdir()
    subprocess.run(["tar", "-x", "-C", unpacked], input=archive.stdout, check=True)
    return unpacked


def cores_of(mode: str) -> tuple[set[int], set[int]]:
    """Return the cores of the process that is measured, and of the broker.

    Where the kernel places them itself, the same worker makes 12,000 jobs/s or 54,000.
    """
    cores = sorted(os.sched_getaffinity(0))
    if mode == ANY_CORE:
        return set(cores), set(cores)
    return {cores[0]}, {cores[0] if mode == ONE_CORE else cores[-1]}


@contextmanager
def pinned(mode: str, broker: int, *pids: int) -> Iterator[None]:
    """Keep processes and the broker on their cores, with all of their threads."""
    own, brokers = cores_of(mode)
    everywhere = os.sched_getaffinity(0)
    for pid in pids:
        pin(pid, own)
    pin(broker, brokers)
    try:
        yield
    finally:
        for pid in (broker, *pids):
            pin(pid, everywhere)


def pin(pid: int, cores: set[int]) -> None:
    """Keep all threads of a process, and those they will start, on some cores."""
    for thread in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has just ended
            os.sched_setaffinity(int(thread.name), cores)


def cpu_of(pid: int) -> float:
    """Return the CPU time of a process's first thread, in seconds, to a nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def child_of(pid: int) -> int:
    """Return the only child of a process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def environment(source: Path, **values: str) -> Mapping[str, str]:
    """Return an environment in which Python imports jobqueue from a checkout."""
    return os.environ | {"PYTHONPATH": str(source)} | values


def show_figures(title: str, figures: Figures) -> None:
    """Print the medians of each contender."""
    print(f"\n{title}")
    for name, found in figures.items():
        rate, cpu, broker = (statistics.median(x) for x in zip(*found, strict=True))
        print(f"  {name:34} {rate:9,.0f}/s {cpu:7.1f} us, broker {broker:5.1f} us")


def show_ratio(figures: Figures, name: str, other: str, remark: str = "") -> None:
    """Print how one contender relates to another, round by round.

    Where all runs on one core, CPU time is time. It bears a busy machine better.
    """
    pairs = list(zip(figures[name], figures[other], strict=True))
    ratios = [a.rate / b.rate for a, b in pairs]
    by_cpu = [(b.cpu + b.broker_cpu) / (a.cpu + a.broker_cpu) for a, b in pairs]
    own = [b.cpu / a.cpu for a, b in pairs]
    print(
        f"{name} / {other}{remark}: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); "
        f"by CPU {statistics.median(by_cpu):.2f}, "
        f"without the broker's {statistics.median(own):.2f}"
    )
