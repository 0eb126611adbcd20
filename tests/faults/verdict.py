"""The judgement on a campaign: what became of each job, and whether that is explained.

A job counts when it has ended, not when it has begun. Each job that is found buried is
looked at by itself: either its task has failed for good, or its workers were lost too
often, each time by a fault, or the broker itself has destroyed its body.
"""

import enum
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import mean

from .books import NOBODY, Books, Buried, Fate, Run
from .repetitions import Cause, expiries, repetitions

MAX_KICKS = 1  # of each task of a campaign
MAX_LOST = 3


class Reason(enum.StrEnum):
    """Why a job was found buried."""

    FAILED = "its task had failed for good"
    LOST = "its workers were lost too often"
    DESTROYED = "beanstalkd itself had destroyed its body"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fates of all jobs. The lists of numbers have to be empty."""

    faults: Counter[str]
    slot_threads: Counter[int]  # in a process, as async tasks have counted them
    load: float  # of the machine, on average
    hold_ups: int
    longest_hold_up: float  # seconds
    busy: int  # faults that hit a worker's process while that ran a job
    commands: Counter[tuple[str, int]]  # of the operator, with their exit statuses
    put: int  # confirmed
    unconfirmed: int  # the put failed, and may have put the job or not
    began: int
    ended: int
    deleted: int  # failed for good, and again after the last kick
    buried: int  # all others that were found buried
    reasons: Counter[Reason]  # of all that were found buried
    innocent: int  # buried for losses, though no run was cut off
    copied: int
    duplicated: int  # jobs that ran more often than they had to
    causes: Counter[Cause]  # of these runs
    vanished: int  # destroyed by beanstalkd itself
    lost: list[int]
    strangers: list[int]
    unexplained_runs: list[int]
    unexplained_burials: list[int]
    escaped: list[int]  # ran, though an import had to set them aside
    stranded: list[int]  # left delayed by an import that did not say so

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not self.wrong

    @property
    def wrong(self) -> list[int]:
        """The numbers of all jobs for which a promise was broken."""
        return [
            *self.lost,
            *self.strangers,
            *self.unexplained_runs,
            *self.unexplained_burials,
            *self.escaped,
            *self.stranded,
        ]

    def objections(self) -> list[str]:
        """Return why this campaign does not show that every promise is kept."""
        objections = [] if self.is_good else [f"a promise was broken: {self}"]
        total = self.faults.total()
        if 2 * self.busy < total:
            objections.append(
                f"too little was shown: only {self.busy} of {total} faults hit a "
                "process that was running jobs, and at least half have to"
            )
        threads = self.slot_threads
        if 2 * threads[0] < threads.total():
            objections.append(f"most slots had threads, not the event loop: {threads}")
        return objections


def judge(books: Books) -> Verdict:
    """Compare what was put with what ended, and with what was found buried."""
    confirmed = {n for n, put in books.puts.items() if put.confirmed is not None}
    ended = {n for n in confirmed if _has_ended_well(books, n)}
    buried = {found.number for found in books.found} & confirmed
    deleted = {n for n in confirmed if _was_deleted(books, n)}
    left = confirmed - ended - buried - deleted - books.stranded
    known = books.puts.keys() - books.refused
    reasons = {found: _reason(books, found) for found in books.found}
    seen = {*books.runs, *(f.number for f in books.found if f.number is not None)}
    causes = {n: [*repetitions(books, n)] for n in books.runs.keys() & known}
    hold_ups = [
        ended - began for spans in books.hold_ups.values() for began, ended in spans
    ]
    return Verdict(
        faults=Counter(fault.name for fault in books.faults),
        busy=sum(1 for _ in books.busy_faults()),
        slot_threads=books.slot_threads,
        load=mean(books.loads or [0]),
        hold_ups=len(hold_ups),
        longest_hold_up=max(hold_ups, default=0),
        commands=books.commands,
        put=len(confirmed),
        unconfirmed=len(known - confirmed),
        began=len(confirmed & books.runs.keys()),
        ended=len(ended),
        deleted=len(deleted - ended - buried),
        buried=len(buried - ended),
        reasons=Counter(reason for reason in reasons.values() if reason),
        innocent=sum(1 for f, why in reasons.items() if _is_innocent(books, f, why)),
        copied=len(books.copies),
        duplicated=sum(map(bool, causes.values())),
        causes=Counter(cause for found in causes.values() for cause in found if cause),
        vanished=len(left & books.vanished),
        lost=sorted(left - books.vanished),
        strangers=sorted(seen - known),
        unexplained_runs=sorted(n for n, found in causes.items() if not all(found)),
        unexplained_burials=sorted(
            f.number or -f.job_id for f, reason in reasons.items() if reason is None
        ),
        escaped=sorted(n for n in books.set_aside if _has_escaped(books, n)),
        stranded=sorted(books.stranded - books.admitted),
    )


def _has_ended_well(books: Books, number: int) -> bool:
    if books.puts[number].fate is Fate.FAILS:
        return False  # its time limit was not kept
    return any(run.verdict == "ended" for run in books.runs.get(number, []))


def _was_deleted(books: Books, number: int) -> bool:
    """Return whether a job has failed for good after its last kick.

    Kicks are those of one id: a job that was imported has its limits anew.
    """
    return any(
        sum(at <= run.began for at in books.kicks.get(run.job_id, [])) >= MAX_KICKS
        for run in _failures(books.runs.get(number, []))
    )


def _failures(runs: Iterable[Run]) -> Iterator[Run]:
    return (run for run in runs if run.verdict == "for-good")


def _reason(books: Books, found: Buried) -> Reason | None:
    """Return why a job was found buried; None if nothing explains that."""
    if found.job_id in books.destroyed:
        is_broker_hit = any(fault.costs is None for fault in books.faults)
        return Reason.DESTROYED if is_broker_hit else None
    put = books.puts.get(found.number or 0)
    if put is None or found.number is None:
        return None
    has_failed = any(_failures(books.runs.get(found.number, [])))
    # A time limit may be over before the task's first line, which notes the run.
    has_failed |= found.job_id in books.timed_out or _may_be_cut(books, found)
    if put.fate is not Fate.ENDS_WELL and has_failed:
        return Reason.FAILED
    # For its last run a job is buried first. So that loss is not among those counted.
    if found.lost >= (MAX_LOST - 1) * (found.kicks + 1):
        hit = [f for f in books.faults if f.costs != NOBODY and f.ended >= put.sent]
        hits = len(hit) + expiries(books, found.number, found.job_id)
        return Reason.LOST if hits >= found.lost else None
    return None


def _may_be_cut(books: Books, found: Buried) -> bool:
    """Return whether a job that always fails was reserved, and a fault hit it then."""
    put = books.puts[found.number or 0]
    was_reserved = found.reserves > 0 and put.fate is Fate.FAILS
    return was_reserved and any(fault.ended >= put.sent for fault in books.faults)


def _is_innocent(books: Books, found: Buried, reason: Reason | None) -> bool:
    """Return whether a job was buried for losses, though no run was cut off."""
    if reason is not Reason.LOST or found.number is None:
        return False
    verdicts = {r.verdict for r in books.of_id(found.number, found.job_id)}
    return verdicts.isdisjoint({"", "cut-off"})


def _has_escaped(books: Books, number: int) -> bool:
    """Return whether a job ran that an import had to bury, and nobody had kicked it."""
    return any(
        run.job_id > books.set_aside[number]
        and not books.was_kicked(run.job_id, -math.inf, run.began)
        for run in books.runs.get(number, [])
    )
