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
    is_explained = (
        _has_expired(books, number, before)
        or _began_expired(books, number, after)
        or _was_buried_meanwhile(books, number, before)
    )
    return Cause.EXPIRY if is_explained else None


def _has_expired(books: Books, number: int, run: Run) -> bool:
    """Return whether a run was held up, and its worker says that it lost the job."""
    return any(
        expiry.pid == run.pid
        and expiry.noticed >= run.began
        and _is_explained(books, number, expiry)
        for expiry in books.expiries.get(run.job_id, [])
    )


def _began_expired(books: Books, number: int, run: Run) -> bool:
    """Return whether a worker was held up with a job in hand, and began it too late."""
    ttr = books.puts[number].ttr
    held_up = books.seconds_held_up(run.pid, run.began - 2 * ttr, run.began)
    return held_up >= ttr * HELD_UP and _has_expired(books, number, run)


def _was_buried_meanwhile(books: Books, number: int, run: Run) -> bool:
    """Return whether a run was held up, and did not see that it has lost the job.

    Another worker had it by then, and had buried it for its last run. Whoever deletes a
    buried job is told that it was deleted.
    """
    held_up = books.seconds_held_up(run.pid, run.began - SLACK, run.ended)
    is_late = held_up >= books.puts[number].ttr * HELD_UP
    return run.job_id in books.doubted and is_late


def _arrival(books: Books, run: Run) -> float:
    """Return the earliest time at which the job of a run may have come."""
    since = run.began - SLACK
    return since - books.seconds_held_up(run.pid, since - LOOK_BACK, run.began)


def _is_explained(books: Books, number: int, expiry: Expiry) -> bool:
    """Return whether a worker lost a job because it was held up for too long."""
    since = expiry.began - SLACK
    held_up = books.seconds_held_up(expiry.pid, since, expiry.noticed)
    return held_up >= books.puts[number].ttr * HELD_UP
