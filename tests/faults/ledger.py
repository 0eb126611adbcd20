"""A record, outside of the broker, of what was put, what ran, and what failed."""

import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

# A fault may hit a worker between the arrival of a job and the note that it began.
SLACK = 2.0  # seconds

EVERYBODY = "everybody"


class Ledger:
    """A file to which all processes append lines; each is one event with its time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def close(self) -> None:
        os.close(self._file)

    def note(self, kind: str, *words: object) -> None:
        self._write([_line(kind, *words)])

    def sent(self, numbers: Iterable[int]) -> None:
        """Note the jobs of a put before it is made."""
        now = time.monotonic()
        pid = os.getpid()
        self._write(_line("sent", number, pid, now) for number in numbers)

    def confirmed(self, ids: dict[int, int]) -> None:
        """Note the ids that a put has returned, by the numbers of the jobs."""
        now = time.monotonic()
        self._write(_line("confirmed", n, job_id, now) for n, job_id in ids.items())

    def refused(self, numbers: Iterable[int]) -> None:
        """Note jobs that were certainly not put: none of them may run."""
        self._write(_line("refused", number) for number in numbers)

    def fault(
        self, name: str, began: float, ended: float, pids: Collection[int] | None
    ) -> None:
        """Note a fault, and which processes it may have cost a job; None: any."""
        hit = EVERYBODY if pids is None else ",".join(map(str, pids)) or "nobody"
        self.note("fault", name, began, ended, hit)

    def about(self, numbers: Iterable[int]) -> str:
        """Return the lines about some jobs, and those about all faults."""
        of_interest = set(map(str, numbers))
        return "".join(
            line
            for line in self._lines()
            if line.split()[1] in of_interest or line.startswith("fault ")
        )

    def read(self) -> "Books":
        """Return all that was noted."""
        books = Books()
        for line in self._lines():
            books.enter(*line.split())
        return books

    def _lines(self) -> Iterator[str]:
        with self.path.open() as file:
            yield from file

    def _write(self, lines: Iterable[str]) -> None:
        data = "".join(lines).encode()
        assert os.write(self._file, data) == len(data)


def _line(*words: object) -> str:
    return " ".join(map(str, words)) + "\n"


@dataclass(slots=True)
class Put:
    """A put of one job: the process, and when it was sent and confirmed."""

    pid: int
    sent: float
    confirmed: float | None = None


@dataclass(slots=True)
class Run:
    """A run of a job, which began when its reservation did."""

    job_id: int
    pid: int
    began: float
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that hit some processes, or all."""

    name: str
    began: float
    ended: float
    pids: frozenset[int] | None  # None: all

    def hit(self, pids: Iterable[int], since: float, until: float) -> bool:
        """Return whether the fault hit one of these processes in this time."""
        is_in_time = self.began <= until and self.ended >= since
        return is_in_time and (self.pids is None or not self.pids.isdisjoint(pids))


@dataclass(slots=True)
class Books:
    """The content of a ledger, by the numbers of the jobs."""

    puts: dict[int, Put] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)  # by the jobs' ids
    refused: set[int] = field(default_factory=set)
    runs: dict[int, list[Run]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def enter(self, kind: str, *words: str) -> None:
        """Add the event of one line."""
        match kind, words:
            case "sent", (number, pid, now):
                self.puts[int(number)] = Put(int(pid), float(now))
            case "confirmed", (number, job_id, now):
                self.puts[int(number)].confirmed = float(now)
                self.numbers[int(job_id)] = int(number)
            case "refused", (number,):
                self.refused.add(int(number))
            case "began", (number, job_id, pid, began):
                run = Run(int(job_id), int(pid), float(began))
                self.runs.setdefault(int(number), []).append(run)
            case "failed", (number, job_id, pid, began):
                failed = (int(job_id), int(pid), float(began))
                for run in self.runs[int(number)]:
                    if (run.job_id, run.pid, run.began) == failed:
                        run.has_failed = True
            case "fault", (name, began, ended, hit):
                self.faults.append(_fault(name, float(began), float(ended), hit))
            case _:
                raise AssertionError(f"not a line of a ledger: {kind} {words}")

    def verdict(
        self, buried: Collection[int], destroyed: Collection[int] = ()
    ) -> "Verdict":
        """Compare what was put with what ran, and with what was found buried.

        ``destroyed`` are the ids of buried jobs whose bodies are not whole.
        """
        known_by_id = {self.numbers[n] for n in destroyed if n in self.numbers}
        buried = {*buried, *known_by_id}
        confirmed = {n for n, put in self.puts.items() if put.confirmed is not None}
        duplicated = {n for n, runs in self.runs.items() if _again(runs)}
        known = self.puts.keys() - self.refused
        return Verdict(
            faults=Counter(fault.name for fault in self.faults),
            put=len(confirmed),
            unconfirmed=len(known - confirmed),
            ran=len(confirmed & self.runs.keys()),
            buried=len(confirmed & buried),
            destroyed=len(known_by_id),
            duplicated=len(duplicated),
            lost=sorted(confirmed - self.runs.keys() - buried),
            strangers=sorted((self.runs.keys() | buried) - known),
            unexplained=sorted(n for n in duplicated if not self._explains(n)),
        )

    def _explains(self, number: int) -> bool:
        runs = self.runs[number]
        put = self.puts[number]
        by_id: dict[int, list[Run]] = {}
        for run in sorted(runs, key=lambda run: run.began):
            by_id.setdefault(run.job_id, []).append(run)
        if len(by_id) > 1:  # it was put twice
            until = put.confirmed or max(run.began for run in runs)
            if not self._was_hit({put.pid}, put.sent, until):
                return False
        return all(
            before.has_failed or self._was_hit({before.pid, after.pid}, *_span(*pair))
            for same in by_id.values()
            for pair in pairwise(same)
            for before, after in [pair]
        )

    def _was_hit(self, pids: Collection[int], since: float, until: float) -> bool:
        return any(fault.hit(pids, since, until) for fault in self.faults)


def _again(runs: list[Run]) -> bool:
    """Return whether a job ran more often than its retries account for."""
    return len(runs) - sum(run.has_failed for run in runs) > 1


def _span(before: Run, after: Run) -> tuple[float, float]:
    return before.began - SLACK, after.began


def _fault(name: str, began: float, ended: float, hit: str) -> Fault:
    if hit == EVERYBODY:
        return Fault(name, began, ended, None)
    pids = () if hit == "nobody" else hit.split(",")
    return Fault(name, began, ended, frozenset(map(int, pids)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fates of all jobs. The lists have to be empty."""

    faults: Counter[str]
    put: int  # confirmed
    unconfirmed: int  # the put failed, and may have put the job or not
    ran: int
    buried: int
    destroyed: int  # buried jobs whose bodies the broker itself has destroyed
    duplicated: int
    lost: list[int]
    strangers: list[int]
    unexplained: list[int]

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.strangers or self.unexplained)
