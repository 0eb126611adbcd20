"""The ratios that jobqueue must keep to the best of its peers."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.benchmarks.peers.measures import BY_NAME, FLOOR
from tests.benchmarks.peers.result import Result

OWN = "jobqueue"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ratio of jobqueue to something else, and what it must be."""

    text: str
    bound: float
    is_at_least: bool
    ratio: float | None
    beside: str

    @property
    def is_kept(self) -> bool | None:
        """Whether the ratio is within its bound; None if it was not measured."""
        if self.ratio is None:
            return None
        if self.is_at_least:
            return self.ratio >= self.bound
        return self.ratio <= self.bound

    def __str__(self) -> str:
        verdict = {True: "pass", False: "FAIL", None: "not measured"}[self.is_kept]
        sign = ">=" if self.is_at_least else "<="
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} x {self.beside}, "
        return f"{verdict:12} {self.text}: {ratio}must be {sign} {self.bound:g} x"


def verdicts(result: Result) -> list[Verdict]:
    """Return all ratios of a run."""
    return [
        at_least(1.7, ["put"], result),
        at_least(8, ["put_many", "put"], result),
        at_least(3, ["rate_2"], result),
        at_least(2.5, ["rate_10"], result),
        at_most(1 / 2.5, "total_10", result),
        at_most(0.7, "p50", result),
        at_most(0.7, "p99", result),
        at_most(1, "idle_cpu", result),
        at_most(0.45, "memory_1", result),
        at_most(0.45, "busy_memory_1", result),
        at_most(0.7, "memory_10", result),
        at_most(0.7, "busy_memory_10", result),
        _imports(result),
        at_most(1, "import", result, without=("Celery",)),
        _backlog("backlog_0", result),
        _backlog("backlog_1", result),
    ]


def at_least(bound: float, measures: list[str], result: Result) -> Verdict:
    """Return how jobqueue compares with the best peer where more is better.

    Of several measures, the best of each peer counts, and the first of jobqueue.
    """
    best = _best(max, measures, result, _peers(result))
    return _verdict(measures[0], bound, result, best, is_at_least=True)


def at_most(
    bound: float, measure: str, result: Result, without: Iterable[str] = ()
) -> Verdict:
    """Return how jobqueue compares with the best peer where less is better."""
    peers = [name for name in _peers(result) if name not in without]
    best = _best(min, [measure], result, peers)
    return _verdict(measure, bound, result, best, is_at_least=False)


def _peers(result: Result) -> list[str]:
    return [name for name in result.libraries if name not in {OWN, FLOOR}]


def _best(
    choose: Callable[[Iterable[tuple[float, str]]], tuple[float, str]],
    measures: list[str],
    result: Result,
    peers: list[str],
) -> tuple[float, str] | None:
    found = [
        (median, f"{peer}'s")
        for peer in peers
        for measure in measures
        if (median := result.median(measure, peer)) is not None
    ]
    return choose(found) if found else None


def _verdict(
    measure: str,
    bound: float,
    result: Result,
    best: tuple[float, str] | None,
    *,
    is_at_least: bool,
) -> Verdict:
    text = BY_NAME[measure].titled(result.sizes)
    own = result.median(measure, OWN)
    if best is None or own is None:
        return Verdict(text, bound, is_at_least, None, "")
    return Verdict(text, bound, is_at_least, _ratio(own, best[0]), best[1])


def _ratio(own: float, other: float) -> float:
    if other:
        return own / other
    return math.inf if own else 1  # CPU time may be too short to be measured


def _imports(result: Result) -> Verdict:
    floor = result.median("floor_import", FLOOR)
    best = None if floor is None else (floor, "import greenstalk")
    return _verdict("import", 2.5, result, best, is_at_least=False)


def _backlog(smaller: str, result: Result) -> Verdict:
    small = result.median(smaller, OWN)
    title = BY_NAME[smaller].titled(result.sizes)
    best = None if small is None else (small, f"that of {title}")
    return _verdict("backlog_2", 0.8, result, best, is_at_least=True)
