"""The content of a ledger: puts, runs, faults, and what was found at the end."""

import enum
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

Processes = frozenset[int] | None  # their pids; None: any process
Span = tuple[float, float]  # in time
NOBODY: Processes = frozenset()


class Fate(enum.StrEnum):
    """How a job has to end if nothing happens to it."""

    ENDS_WELL = "ends-well"
    FAILS = "fails"  # for good, as often as it runs
    FAILS_UNTIL_KICKED = "fails-until-kicked"


@dataclass(slots=True)
class Put:
    """A put of one job: the process, and when it was sent and confirmed."""

    pid: int
    sent: float
    fate: Fate
    ttr: int  # seconds
    confirmed: float | None = None


@dataclass(slots=True)
class Run:
    """A run of a job, which began when its reservation did."""

    job_id: int
    pid: int
    began: float
    verdict: str = ""  # ended, again, for-good or cut-off; "": it was killed half-way
    ended: float = math.inf


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: which processes it may have cost a job, and which it has hit."""

    name: str
    began: float
    ended: float
    costs: Processes
    hits: Processes

    def may_have_cost(self, pids: set[int], since: float, until: float) -> bool:
        """Return whether it may have cost one of these processes a job in this time."""
        is_in_time = self.began <= until and self.ended >= since
        return is_in_time and (self.costs is None or not self.costs.isdisjoint(pids))


@dataclass(frozen=True, slots=True)
class Expiry:
    """A reservation that a process has lost, while its connection was in order."""

    pid: int
    began: float
    noticed: float


@dataclass(frozen=True, slots=True)
class Buried:
    """A job that was found buried at the end, with the broker's counts of it."""

    number: int | None  # None: the broker has destroyed the body
    job_id: int
    reserves: int
    releases: int
    buries: int
    kicks: int

    @property
    def lost(self) -> int:
        """How many of its reservations ended without an outcome.

        beanstalkd counts a burial again when it restarts with a binlog. There was one
        more than there were kicks.
        """
        return self.reserves - self.releases - min(self.buries, self.kicks + 1)


@dataclass(slots=True)
class Books:
    """The content of a ledger, by the numbers of the jobs."""

    puts: dict[int, Put] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)  # by the jobs' ids
    refused: set[int] = field(default_factory=set)
    runs: dict[int, list[Run]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    kicks: dict[int, list[float]] = field(default_factory=dict)  # times, by ids
    copies: set[int] = field(default_factory=set)
    set_aside: dict[int, int] = field(default_factory=dict)  # ids above are copies
    stranded: set[int] = field(default_factory=set)  # delayed by an import that broke
    admitted: set[int] = field(default_factory=set)  # which that import has said
    commands: Counter[tuple[str, int]] = field(default_factory=Counter)
    found: list[Buried] = field(default_factory=list)
    destroyed: set[int] = field(default_factory=set)  # ids
    vanished: set[int] = field(default_factory=set)  # from the binlog
    newest_id: int = 0
    hold_ups: dict[int | None, list[Span]] = field(default_factory=dict)  # None: of all
    expiries: dict[int, list[Expiry]] = field(default_factory=dict)  # by ids
    timed_out: set[int] = field(default_factory=set)  # ids
    doubted: set[int] = field(default_factory=set)  # ids; buried while they ran
    loads: list[float] = field(default_factory=list)  # of the machine
    slot_threads: Counter[int] = field(default_factory=Counter)  # in a process

    def confirmed(self, number: int, job_id: int, now: float) -> None:
        self.puts[number].confirmed = now
        self.numbers[job_id] = number
        self.newest_id = max(self.newest_id, job_id)

    def began(self, number: int, job_id: int, pid: int, began: float) -> None:
        self.runs.setdefault(number, []).append(Run(job_id, pid, began))
        self.newest_id = max(self.newest_id, job_id)

    def run_ended(
        self, number: int, key: tuple[int, int, float], verdict: str, now: float
    ) -> None:
        for run in self.runs.get(number, []):
            if (run.job_id, run.pid, run.began) == key:
                run.verdict, run.ended = verdict, now

    def copied(self, number: int, state: str) -> None:
        self.copies.add(number)
        if state == "buried":
            self.set_aside.setdefault(number, self.newest_id)

    def fault(
        self, name: str, began: float, ended: float, costs: Processes, hits: Processes
    ) -> None:
        self.faults.append(Fault(name, began, ended, costs, hits))

    def vanish(self, job_id: int) -> None:
        # Now, as beanstalkd is to give the id to another job.
        if job_id in self.numbers:
            self.vanished.add(self.numbers[job_id])

    def held_up(self, pids: Processes, began: float, ended: float) -> None:
        for pid in [None] if pids is None else pids:
            self.hold_ups.setdefault(pid, []).append((began, ended))

    def buried(self, number: int | None, job_id: int, *counts: int) -> None:
        known = self.numbers.get(job_id) if number is None else number
        self.found.append(Buried(known, job_id, *counts))
        if number is None:
            self.destroyed.add(job_id)

    def of_id(self, number: int, job_id: int) -> list[Run]:
        """Return the runs of a job under one id, the first one first."""
        runs = (run for run in self.runs.get(number, []) if run.job_id == job_id)
        return sorted(runs, key=lambda run: run.began)

    def was_kicked(self, job_id: int, since: float, until: float) -> bool:
        return any(since <= at <= until for at in self.kicks.get(job_id, []))

    def explain(self, pids: set[int], since: float, until: float) -> bool:
        """Return whether a fault may have cost one of these processes a job."""
        return any(fault.may_have_cost(pids, since, until) for fault in self.faults)

    def seconds_held_up(self, pid: int, since: float, until: float) -> float:
        """Return for how much of a time something held a process up.

        That is the machine, or a fault that was too short to cost it a job.
        """
        spans = [
            *self.hold_ups.get(None, ()),
            *self.hold_ups.get(pid, ()),
            *((f.began, f.ended) for f in self.faults if f.hits is None),
            *((f.began, f.ended) for f in self.faults if f.hits and pid in f.hits),
        ]
        total, covered = 0.0, since
        for began, ended in sorted(spans):
            start, end = max(began, covered), min(ended, until)
            if start < end:
                total += end - start
                covered = end
        return total

    def busy_faults(self) -> Iterator[Fault]:
        """Yield each fault that hit a worker's process while that was running a job.

        A run that has no end has ended with the first fault that hit its process.
        """
        by_pid: dict[int, list[Run]] = {}
        for runs in self.runs.values():
            for run in runs:
                by_pid.setdefault(run.pid, []).append(run)
        running: dict[int, list[tuple[float, float]]] = {
            pid: [(run.began, self._end_of(run)) for run in runs]
            for pid, runs in by_pid.items()
        }
        for fault in self.faults:
            pids = running.keys() if fault.hits is None else fault.hits
            if any(
                began <= fault.ended and end >= fault.began
                for pid in pids
                for began, end in running.get(pid, ())
            ):
                yield fault

    def _end_of(self, run: Run) -> float:
        if run.verdict:
            return run.ended
        ends = (
            fault.ended
            for fault in self.faults
            if fault.may_have_cost({run.pid}, run.began, math.inf)
        )
        return min(ends, default=math.inf)
