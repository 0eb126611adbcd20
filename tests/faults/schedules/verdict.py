"""What became of each due time of a campaign."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from jobqueue.schedule.times import Cron, Every, Times

from .timeline import Timeline

EACH_FOR = 10  # seconds for which each due time that was missed is still put
RECOVERY = 8  # seconds for workers to start, or to be connected again
AFTER = 3  # seconds after a fault in which a due time may be put again
AFTER_FREEZE = 33  # the same: a frozen worker's tick comes back when its ttr ends
OUTAGES = {"long restart", "no worker", "restart of the broker", "stall of the machine"}

TIMES: dict[str, Callable[[int], Times]] = {
    "each_second": lambda _: Every(1),
    "each_five": lambda _: Every(5),
    "by_seconds": lambda _: Cron("*/7 * * * * *", ZoneInfo("America/New_York")),
    "each_minute": lambda _: Cron("* * * * *", ZoneInfo("Europe/Berlin")),
    "changing": lambda version: Every(3 + version % 2),
}


@dataclass(slots=True)
class Verdict:
    """The ledger: how many due times there were, and how each was put."""

    due: Counter[str] = field(default_factory=Counter)
    once: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)  # explained by a fault
    skipped: Counter[str] = field(default_factory=Counter)  # the same
    blamed: Counter[str] = field(default_factory=Counter)  # for those put again
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{'':<12} {'due':>6} {'once':>6} {'again':>6} {'skipped':>8}",
            *(
                f"{name:<12} {self.due[name]:>6} {self.once[name]:>6} "
                f"{self.again[name]:>6} {self.skipped[name]:>8}"
                for name in TIMES
            ),
            f"faults: {_listed(self.faults)}",
            f"put again by: {_listed(self.blamed)}",
            *(self.wrong or ["nothing is wrong"]),
        ]
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def judge(runs: Path, timeline: Timeline, begin: float, end: float) -> Verdict:
    """Return what became of the due times between two moments.

    What a fault explains: that a due time was put again, some seconds after a fault;
    and that it was skipped, as the clock jumped over it, or as the workers or the
    broker were away for so long that only the latest due time is put.
    """
    puts: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for line in runs.read_text().splitlines():
        run = json.loads(line)
        puts[run["name"], run["due"]].setdefault(run["job"], run["at"])
    verdict = Verdict(faults=Counter(fault.name for fault in timeline.faults))
    for name, due in _dues(timeline, begin, end):
        verdict.due[name] += 1
        jobs = puts.pop((name, due), {})
        if len(jobs) == 1:
            verdict.once[name] += 1
        elif jobs:
            _judge_again(verdict, timeline, name, due, jobs)
        elif _is_excused(timeline, due):
            verdict.skipped[name] += 1
        else:
            verdict.wrong.append(f"{name} was not put for {due}")
    for (name, due), jobs in puts.items():
        if not _is_due_of_any(name, due):
            verdict.wrong.append(
                f"{name} was put for {due}, when it is not due: {jobs}"
            )
    return verdict


def _judge_again(
    verdict: Verdict, timeline: Timeline, name: str, due: int, jobs: dict[int, float]
) -> None:
    last = max(jobs.values())
    near = [
        fault.name
        for fault in timeline.near(last, AFTER_FREEZE)
        if fault.name == "freeze" or fault in timeline.near(last, AFTER)
    ]
    if len(timeline.moments_of(due)) > 1:  # the clock was set back
        near.append("clock back")
    if near:
        verdict.again[name] += 1
        verdict.blamed[near[-1]] += 1
    else:
        verdict.wrong.append(f"{name} was put again for {due}: {jobs}")


def _dues(timeline: Timeline, begin: float, end: float) -> Iterator[tuple[str, int]]:
    """Yield each due time that the clock of the workers has shown, or jumped over."""
    first = timeline.clock(begin)  # a clock that is set back may show earlier times
    last = max(timeline.clock(end), *(jump.before for jump in timeline.jumps), 0)
    for name, times_of in TIMES.items():
        deploys = timeline.deploys if name == "changing" else timeline.deploys[:1]
        seen = set()
        for version in {version % 2 for _, version in deploys}:
            times, due = times_of(version), int(first)
            while (due := times.next_after(due)) < last:
                if due not in seen and _is_live(timeline, name, due, version):
                    seen.add(due)
                    yield name, due


def _is_live(timeline: Timeline, name: str, due: int, version: int) -> bool:
    """Return whether all workers had this version of the code when it was due."""
    if name != "changing":
        return True
    for moment in timeline.moments_of(due):
        near = {fault.name for fault in timeline.near(moment, RECOVERY)}
        current = [v for at, v in timeline.deploys if at <= moment]
        if "deploy" in near or not current or current[-1] % 2 != version % 2:
            return False
    return not timeline.was_jumped(due)


def _is_due_of_any(name: str, due: int) -> bool:
    times = TIMES[name]
    return any(times(v).next_after(due - 1) == due for v in (0, 1))


def _is_excused(timeline: Timeline, due: int) -> bool:
    if timeline.was_jumped(due):
        return True
    return any(
        fault.name in OUTAGES
        and fault.end - fault.begin + RECOVERY > EACH_FOR
        and fault.begin - 1 <= moment <= fault.end + RECOVERY
        for moment in timeline.moments_of(due)
        for fault in timeline.faults
    )
