"""Runs of a job beyond those that it has to have, and what explains each."""

import enum
import math
from collections.abc import Iterator
from itertools import pairwise

from .books import Books, Expiry, Run

# A fault may hit a worker between the arrival of a job and the note that it began.
SLACK = 2.0  # seconds
SHORTEST_TTR = 1.0  # seconds
LOOK_BACK = 30.0  # seconds, for what held a worker up before that note

# A job is touched three times in its time to run. So a worker loses it only if the
# worker is held up for two thirds of that time. Some moments are too short to be noted.
HELD_UP = 1 / 2  # of the time to run


class Cause(enum.StrEnum):
    """What explains that a job ran once more."""

    FAULT = "a fault hit its worker or the broker"
    PUT = "a fault hit its put, which was made again"
    IMPORT = "an import put it again"
    EXPIRY = "the machine held up its worker for longer than its time to run"


def repetitions(books: Books, number: int) -> Iterator[Cause | None]:
    """Yield for each run too many what explains it; None if nothing does.

    A retry is no such run, nor is one after a kick.
    """
    runs = books.runs[number]
    put = books.puts[number]
    ids = sorted({run.job_id for run in runs})
    if len(ids) > 1:  # it was put twice
        until = put.confirmed or max(run.began for run in runs)
        if number in books.copies:
            yield Cause.IMPORT
        else:
            yield Cause.PUT if books.explain({put.pid}, put.sent, until) else None
    for job_id in ids:
        for before, after in pairwise(books.of_id(number, job_id)):
            if not _is_due(books, before, after):
                yield _cause(books, number, before, after)


def expiries(books: Books, number: int, job_id: int) -> int:
    """Return how often a job was lost because its worker was held up.

    The heartbeat and the slot may both have noticed the end of one reservation.
    """
    began: dict[int, float] = {}  # by the pids
    count = 0
    for expiry in sorted(books.expiries.get(job_id, []), key=lambda e: e.began):
        is_new = expiry.began - began.get(expiry.pid, -math.inf) > SHORTEST_TTR / 2
        began[expiry.pid] = expiry.began
        count += is_new and _is_explained(books, number, expiry)
    return count


def _is_due(books: Books, before: Run, after: Run) -> bool:
    """Return whether a job had to run again: after a retry, or after a kick."""
    if before.verdict == "again":
        return True
    # A job may be kicked while it runs for the last time, as it is buried then.
    return books.was_kicked(before.job_id, before.began, after.began)


def _cause(books: Books, number: int, before: Run, after: Run) -> Cause | None:
    pids = {before.pid, after.pid}
    if books.explain(pids, _arrival(books, before), after.began):
        return Cause.FAULT
    for expiry in books.expiries.get(before.job_id, []):
        is_of_run = expiry.pid == before.pid and expiry.noticed >= before.began
        if is_of_run and _is_explained(books, number, expiry):
            return Cause.EXPIRY
    return None


def _arrival(books: Books, run: Run) -> float:
    """Return the earliest time at which the job of a run may have come."""
    since = run.began - SLACK
    return since - books.seconds_held_up(run.pid, since - LOOK_BACK, run.began)


def _is_explained(books: Books, number: int, expiry: Expiry) -> bool:
    """Return whether a worker lost a job because it was held up for too long."""
    since = expiry.began - SLACK
    held_up = books.seconds_held_up(expiry.pid, since, expiry.noticed)
    return held_up >= books.puts[number].ttr * HELD_UP
