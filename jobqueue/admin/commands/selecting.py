"""The jobs that a command's filters name, and the question before they are changed."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.session import Session
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating import formatting

_BATCH = 500  # jobs, which are changed in one step
_SHOWN = 10  # ids


def selected(
    session: Session, tubes: Iterable[str], states: Sequence[JobState]
) -> list[JobStats]:
    """Return the jobs of these tubes and states that pass the filters."""
    filters = session.filters()
    found: list[JobStats] = []
    without_note = 0
    for tube in tubes:
        with session.operator.finding(tube, list(states), filters) as finder:
            if finder is None:
                continue
            with session.console.progress("Looking for jobs", finder.total) as advance:
                for jobs in finder.blocks():
                    found += jobs
                    advance(finder.looked_at, finder.total)
            finder.check_complete()
            without_note += finder.without_note
    session.say_without_note(without_note)
    return found


def change(
    session: Session,
    title: str,
    jobs: Sequence[JobStats],
    make: Callable[..., list[int]],
) -> set[int]:
    """Change jobs by their ids, some in each step; return the ids of those changed."""
    changed: set[int] = set()
    rest = iter(jobs)
    with session.console.progress(title, len(jobs)) as advance:
        try:
            while batch := list(islice(rest, _BATCH)):
                with session.interrupts:
                    changed.update(make(*(job.id for job in batch)))
                advance(len(changed), len(jobs))
        except BaseException:
            done = formatting.number_of(len(changed), "job")
            session.console.note(f"{title} was interrupted after {done}")
            raise
    return changed


def confirm(session: Session, question: str, *, nothing: str) -> None:
    """Ask, unless ``--yes`` was given; raise an error if the answer is not yes."""
    if session.options.yes:
        return
    answer = session.console.confirm(question)
    if answer is None:
        raise UsageError(f"there is no terminal to ask on: give --yes to {nothing}")
    if not answer:
        raise CommandError("nothing was changed")


def described(jobs: Sequence[JobStats]) -> str:
    """Return how many jobs these are, of which states and tubes."""
    if not jobs:
        return "0 jobs"
    states = [state for state in JobState if any(job.state == state for job in jobs)]
    counted = formatting.number_of(len(jobs), f"{' and '.join(states)} job")
    tubes = sorted({job.tube for job in jobs})
    if len(tubes) == 1:
        return f"{counted} of tube {tubes[0]!r}"
    return f"{counted} of {formatting.number_of(len(tubes), 'tube')}"


def listed(ids: Sequence[int]) -> str:
    """Return the first ids, and how many more there are."""
    more = len(ids) - _SHOWN
    shown = ", ".join(map(str, ids[:_SHOWN]))
    return f"{shown} and {more:,} more" if more > 0 else shown
