"""The ledger of a campaign: what became of each due time."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from .due_times import TIMES, DueTime, due_times, is_due_of_any
from .explanations import Explanations
from .runs import Run, runs_of
from .timeline import Timeline


@dataclass(slots=True)
class Verdict:
    """How many due times there were, and how each was put."""

    due: Counter[str] = field(default_factory=Counter)
    once: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)  # explained by a fault
    skipped: Counter[str] = field(default_factory=Counter)  # the same
    blamed: Counter[str] = field(default_factory=Counter)  # for those put again
    excused: Counter[str] = field(default_factory=Counter)  # why skipped
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = self.due, self.once, self.again, self.skipped
        table = {name: [count[name] for count in counts] for name in TIMES}
        table["all"] = [count.total() for count in counts]
        lines = [
            f"{'':<12} {'due':>6} {'once':>6} {'again':>6} {'skipped':>8}",
            *(
                "{:<12} {:>6} {:>6} {:>6} {:>8}".format(name, *row)
                for name, row in table.items()
            ),
            f"faults: {_listed(self.faults)}",
            f"put again by: {_listed(self.blamed)}",
            f"skipped by: {_listed(self.excused)}",
            *(self.wrong or ["nothing is wrong"]),
        ]
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def judge(file: Path, timeline: Timeline) -> Verdict:
    """Return what became of the due times of a campaign, by the file of its runs.

    Each has to be put once, and not early. See :class:`Explanations` for what explains
    that it was put again, or skipped.
    """
    runs = runs_of(file)
    verdict = Verdict(faults=Counter(fault.name for fault in timeline.faults))
    for name in TIMES:
        _Judge(verdict, timeline, name, runs.get(name, [])).judge()
    return verdict


class _Judge:
    """Judges one schedule."""

    def __init__(
        self, verdict: Verdict, timeline: Timeline, name: str, runs: list[Run]
    ) -> None:
        self._verdict = verdict
        self._timeline = timeline
        self._name = name
        self._runs = runs
        self._explanations = Explanations(timeline, name, runs)

    def judge(self) -> None:
        verdict, name = self._verdict, self._name
        jobs: dict[int, list[Run]] = {}
        for run in self._runs:
            jobs.setdefault(run.due, []).append(run)
            self._judge_moment(run)
        resets = self._explanations.resets
        earlier: list[int] = []
        missed: list[DueTime] = []  # one after the other
        for time in due_times(self._timeline, name, resets):
            verdict.due[name] += time.is_certain
            if time.due not in jobs:
                missed.append(time)
                continue
            self._judge_missed(earlier, missed)
            earlier += [*(due for due, _ in missed), time.due]
            missed = []
            if time.is_certain:
                self._judge_jobs(time.due, jobs[time.due])
        self._judge_missed(earlier, missed)

    def _judge_moment(self, run: Run) -> None:
        if not is_due_of_any(self._name, run.due):
            self._say(f"was put for {run.due}, when it is not due: {run}")
        elif self._timeline.highest(run.at) < run.due:
            self._say(f"was put early: {run}")

    def _judge_jobs(self, due: int, runs: list[Run]) -> None:
        if len(runs) == 1:
            self._verdict.once[self._name] += 1
            return
        why = [
            self._explanations.of_another(before, run) for before, run in pairwise(runs)
        ]
        if None in why:
            self._say(f"was put again for {due}: {runs}")
        else:
            self._verdict.again[self._name] += 1
            self._verdict.blamed[str(why[-1])] += 1

    def _judge_missed(self, earlier: list[int], missed: list[DueTime]) -> None:
        dues = [due for due, is_certain in missed if is_certain]
        if not dues:
            return
        why = self._explanations.of_missed(earlier, missed[0].due, dues[-1])
        if why is None:
            self._say(f"was not put for {dues}")
        else:
            self._verdict.skipped[self._name] += len(dues)
            self._verdict.excused[why] += len(dues)

    def _say(self, what: str) -> None:
        self._verdict.wrong.append(f"{self._name} {what}")
