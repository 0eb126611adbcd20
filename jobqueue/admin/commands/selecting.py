"""The jobs that a command's filters name, and the question before they are changed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice

from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.found_jobs import Jobs, JobsOfTubes
from jobqueue.admin.session import Session
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating import formatting

_BATCH = 500  # jobs, which are changed in one step
_SHOWN = 10  # ids


def selected(
    session: Session, tubes: Iterable[str], states: Sequence[JobState]
) -> JobsOfTubes:
    """Return the jobs of these tubes and states that pass the filters."""
    filters = session.filters()
    found = JobsOfTubes()
    without_note = 0
    for tube in tubes:
        with session.operator.finding(tube, list(states), filters) as finder:
            if finder is None:
                continue
            with session.console.progress("Looking for jobs", finder.total) as advance:
                for jobs in finder.blocks():
                    found.add(jobs)
                    advance(finder.looked_at, finder.total)
            finder.check_complete()
            without_note += finder.without_note
    session.say_without_note(without_note)
    return found


def change(
    session: Session, title: str, jobs: Jobs, make: Callable[..., list[int]]
) -> JobsOfTubes:
    """Change jobs by their ids, some in each step; return those that were changed."""
    changed = JobsOfTubes()
    with session.console.progress(title, len(jobs)) as advance:
        try:
            for batch in _batches(jobs):
                with session.interrupts:
                    done = set(make(*(job.id for job in batch)))
                    changed.add([job for job in batch if job.id in done])
                advance(len(changed), len(jobs))
        except BaseException:
            done_jobs = formatting.number_of(len(changed), "job")
            session.console.note(f"{title} was interrupted after {done_jobs}")
            raise
    return changed


def _batches(jobs: Jobs) -> Iterator[list[JobStats]]:
    """Yield jobs of one tube, some at a time."""
    for _, of_tube in groupby(jobs, key=lambda job: job.tube):
        while batch := list(islice(of_tube, _BATCH)):
            yield batch


def confirm(session: Session, question: str, *, nothing: str) -> None:
    """Ask, unless ``--yes`` was given; raise an error if the answer is not yes."""
    if session.options.yes:
        return
    answer = session.console.confirm(question)
    if answer is None:
        raise UsageError(f"there is no terminal to ask on: give --yes to {nothing}")
    if not answer:
        raise CommandError("nothing was changed")


def described(jobs: Jobs) -> str:
    """Return how many jobs these are, of which states and tubes."""
    if not len(jobs):
        return "0 jobs"
    kinds = {(job.state, job.tube) for job in jobs}
    states = [state for state in JobState if any(state == kind[0] for kind in kinds)]
    counted = formatting.number_of(len(jobs), f"{' and '.join(states)} job")
    tubes = {tube for _, tube in kinds}
    if len(tubes) == 1:
        return f"{counted} of tube {tubes.pop()!r}"
    return f"{counted} of {formatting.number_of(len(tubes), 'tube')}"


def listed(ids: Sequence[int]) -> str:
    """Return the first ids, and how many more there are."""
    more = len(ids) - _SHOWN
    shown = ", ".join(map(str, ids[:_SHOWN]))
    return f"{shown} and {more:,} more" if more > 0 else shown
