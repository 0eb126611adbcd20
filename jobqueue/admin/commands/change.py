"""The commands that change jobs and tubes: delete, clear, pause and resume."""

from array import array
from collections.abc import Callable, Sequence

from jobqueue.admin.commands import selecting
from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.found_jobs import Jobs, JobsOfTubes
from jobqueue.admin.session import Session
from jobqueue.broker.checks import check_id, whole_number
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating import formatting
from jobqueue.operating.operator import OnStep

_FREE = [state for state in JobState if state is not JobState.RESERVED]


def delete(session: Session) -> int:
    """Delete jobs by their ids, or those that pass filters."""
    ids = list(map(check_id, session.options.ids))
    if session.has_filters:
        return _delete_selected(session, ids)
    if not ids:
        raise UsageError("give the ids of jobs, or what the jobs have: see --func")
    if session.options.dry_run:
        jobs = [job for job in session.operator.job_stats(*ids) if job]
        return _say_what_would_be(session, "delete", jobs)
    deleted = set(session.operator.delete(*ids))
    left = [job_id for job_id in ids if job_id not in deleted]
    problems = {
        job_id: f"job {job_id} is reserved: only its worker can delete it"
        if job
        else no_job(job_id)
        for job_id, job in zip(left, session.operator.job_stats(*left), strict=True)
    }
    return report(session, "deleted", len(deleted), problems)


def _delete_selected(session: Session, ids: Sequence[int]) -> int:
    jobs = selecting.selected(session, session.named_tubes(), _FREE)
    if ids:
        wanted, found, jobs = set(ids), jobs, JobsOfTubes()
        for job in found:
            if job.id in wanted:
                jobs.add([job])
    if session.options.dry_run:
        return _say_what_would_be(session, "delete", jobs)
    deleted = _deleted(session, jobs)
    if session.console.as_json:
        session.console.json({"deleted": len(deleted), "not_deleted": []})
    else:
        session.console.line(f"Deleted {selecting.described(deleted)}")
    return 0 if len(deleted) else 1


def _deleted(session: Session, jobs: Jobs) -> Jobs:
    """Delete jobs, after a question if there are several; return those deleted."""
    if len(jobs) > 1:
        question = f"Delete {selecting.described(jobs)} for good?"
        selecting.confirm(session, question, nothing="delete more than one job")
    return selecting.change(session, "Deleting", jobs, session.operator.delete)


def _say_what_would_be(session: Session, what: str, jobs: Jobs) -> int:
    """Print how many jobs would be changed, and which."""
    ids = array("Q", (job.id for job in jobs))
    if session.console.as_json:
        session.console.json({f"would_{what}": list(ids)})
    else:
        which = f": {selecting.listed(ids)}" if ids else ""
        session.console.line(f"Would {what} {selecting.described(jobs)}{which}")
    return 0 if ids else 1


def no_job(job_id: int) -> str:
    """Return the sentence that there is no such job."""
    return f"there is no job {job_id}"


def report(session: Session, done: str, count: int, problems: dict[int, str]) -> int:
    """Print how many jobs were changed, and why others were not; return the status."""
    console = session.console
    if console.as_json:
        console.json({done: count, f"not_{done}": sorted(problems)})
    else:
        console.line(f"{done.capitalize()} {formatting.number_of(count, 'job')}")
    for problem in problems.values():
        console.note(problem)
    return 1 if problems else 0


def clear(session: Session) -> int:
    """Delete all jobs of a tube that are in some states."""
    operator, console, states = session.operator, session.console, session.states()
    tube = session.tube()
    free = [state for state in states if state is not JobState.RESERVED]
    if session.has_filters or session.options.dry_run:
        meant = selecting.selected(session, [tube.tube], free)
        if session.options.dry_run:
            return _say_what_would_be(session, "clear", meant)
        cleared = len(_deleted(session, meant))
        free = []  # what is left in these states is not meant
    else:
        _confirm(session, tube, free)
        cleared = run(
            session,
            "Deleting",
            tube.jobs_in(free),
            lambda on_step: operator.clear(tube.tube, *free, on_step=on_step),
        )
    left = operator.tube(tube.tube)
    reserved = left.reserved if left and JobState.RESERVED in states else 0
    others = left.jobs_in(free) if left else 0
    if console.as_json:
        console.json({"cleared": cleared, "reserved": reserved, "left": others})
    else:
        jobs = formatting.number_of(cleared, "job")
        console.line(f"Deleted {jobs} of tube {tube.tube!r}")
        if reserved:
            jobs = formatting.number_of(reserved, "reserved job")
            console.line(f"Not deleted: {jobs}, which only workers can delete")
        if others:
            console.line(f"Not deleted: {others:,} that came meanwhile")
    return 0 if cleared else 1


def _confirm(session: Session, tube: TubeStats, states: Sequence[JobState]) -> None:
    if count := tube.jobs_in(states):
        jobs = formatting.number_of(count, f"{' and '.join(states)} job")
        question = f"Delete {jobs} of tube {tube.tube!r} for good?"
        selecting.confirm(session, question, nothing="delete jobs")


def pause(session: Session) -> int:
    """Have no jobs of a tube handed out for some seconds."""
    seconds = whole_number("SECONDS", session.options.seconds, least=1)
    return _pause(session, seconds, f"is paused for {formatting.duration(seconds)}")


def resume(session: Session) -> int:
    """Have the jobs of a tube handed out again."""
    return _pause(session, 0, "is not paused")


def _pause(session: Session, seconds: int, result: str) -> int:
    name = session.tube().tube
    if not session.operator.pause(name, seconds):
        raise CommandError(f"tube {name!r} has gone meanwhile")
    if session.console.as_json:
        session.console.json({"tube": name, "paused": seconds})
    else:
        session.console.line(f"Tube {name!r} {result}")
    return 0


def run(
    session: Session,
    title: str,
    total: int,
    change: Callable[[OnStep], int],
    note: OnStep = lambda _jobs: None,
) -> int:
    """Change jobs, show the progress, and return how many were changed.

    ``note`` gets the jobs of each step as well.
    """
    count = 0
    with session.console.progress(title, total) as advance:

        def on_step(jobs: list[JobStats]) -> None:
            nonlocal count
            count += len(jobs)
            note(jobs)
            advance(count, total)

        try:
            return change(on_step)
        except BaseException:
            jobs = formatting.number_of(count, "job")
            session.console.note(f"{title} was interrupted after {jobs}")
            raise
