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
from itertools import pairwise

from .books import NOBODY, Books, Buried, Fate, Run

MAX_KICKS = 1  # of each task of a campaign
MAX_LOST = 3

# A fault may hit a worker between the arrival of a job and the note that it began.
SLACK = 2.0  # seconds

STALL = "machine-stalled"  # a fault that nobody has injected


class Reason(enum.StrEnum):
    """Why a job was found buried."""

    FAILED = "its task had failed for good"
    LOST = "its workers were lost too often"
    DESTROYED = "beanstalkd itself had destroyed its body"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fates of all jobs. The lists of numbers have to be empty."""

    faults: Counter[str]
    stalls: int  # of the machine
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
    duplicated: int
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


def judge(books: Books) -> Verdict:
    """Compare what was put with what ended, and with what was found buried."""
    confirmed = {n for n, put in books.puts.items() if put.confirmed is not None}
    ended = {n for n in confirmed if _has_ended_well(books, n)}
    buried = {found.number for found in books.found} & confirmed
    deleted = {n for n in confirmed if _was_deleted(books, n)}
    known = books.puts.keys() - books.refused
    reasons = {found: _reason(books, found) for found in books.found}
    seen = {*books.runs, *(f.number for f in books.found if f.number is not None)}
    again = {n for n in books.runs.keys() & known if [*_repetitions(books, n)]}
    return Verdict(
        faults=Counter(f.name for f in books.faults if f.name != STALL),
        stalls=sum(fault.name == STALL for fault in books.faults),
        busy=sum(fault.name != STALL for fault in books.busy_faults()),
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
        duplicated=len(again),
        lost=sorted(confirmed - ended - buried - deleted - books.stranded),
        strangers=sorted(seen - known),
        unexplained_runs=sorted(n for n in again if not all(_repetitions(books, n))),
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
    if put.fate is not Fate.ENDS_WELL and (has_failed or _may_be_cut(books, found)):
        return Reason.FAILED
    # For its last run a job is buried first. So that loss is not among those counted.
    if found.lost >= (MAX_LOST - 1) * (found.kicks + 1):
        hit = [f for f in books.faults if f.costs != NOBODY and f.ended >= put.sent]
        return Reason.LOST if len(hit) >= found.lost else None
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


def _repetitions(books: Books, number: int) -> Iterator[bool]:
    """Yield for each run too many whether a fault or an operator explains it.

    A retry is no such run, nor is one after a kick.
    """
    runs = books.runs[number]
    put = books.puts[number]
    ids = sorted({run.job_id for run in runs})
    if len(ids) > 1:  # it was put twice
        until = put.confirmed or max(run.began for run in runs)
        yield number in books.copies or books.explain({put.pid}, put.sent, until)
    for job_id in ids:
        for before, after in pairwise(books.of_id(number, job_id)):
            if not _is_due(books, before, after):
                pids = {before.pid, after.pid}
                yield books.explain(pids, before.began - SLACK, after.began)


def _is_due(books: Books, before: Run, after: Run) -> bool:
    """Return whether a job had to run again: after a retry, or after a kick."""
    if before.verdict == "again":
        return True
    # A job may be kicked while it runs for the last time, as it is buried then.
    return books.was_kicked(before.job_id, before.began, after.began)


def _has_escaped(books: Books, number: int) -> bool:
    """Return whether a job ran that an import had to bury, and nobody had kicked it."""
    return any(
        run.job_id > books.set_aside[number]
        and not books.was_kicked(run.job_id, -math.inf, run.began)
        for run in books.runs.get(number, [])
    )
