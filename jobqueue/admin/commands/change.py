"""The commands that change jobs and tubes: kick, delete, clear, pause and resume."""

from collections.abc import Callable, Sequence

from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.screen import formatting
from jobqueue.admin.session import Session
from jobqueue.broker.checks import check_id, whole_number
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating.operator import OnStep


def kick(session: Session) -> int:
    """Make buried jobs ready, and no others."""
    options = session.options
    if options.ids:
        if options.tube or options.all or options.count is not None:
            raise UsageError("give either --job ID..., or a tube with --all or --count")
        return _kick_by_id(session, options.ids)
    if not options.tube or options.all == (options.count is not None):
        raise UsageError("give a tube with either --all or --count N, or --job ID...")
    tube = session.tube()
    count = None if options.all else options.count
    most = tube.buried if count is None else min(tube.buried, count)
    kicked = _run(
        session,
        "Kicking",
        most,
        lambda on_step: session.operator.kick_all(
            tube.tube, count=count, on_step=on_step
        ),
    )
    if session.console.as_json:
        session.console.json({"kicked": kicked})
    else:
        jobs = formatting.number_of(kicked, "job")
        session.console.line(f"Kicked {jobs} of tube {tube.tube!r}")
    return 0 if kicked else 1


def _kick_by_id(session: Session, ids: Sequence[int]) -> int:
    kicked = session.operator.kick(*ids)
    left = [job_id for job_id in ids if job_id not in set(kicked)]
    problems = {
        job_id: f"job {job_id} is {job.state}, not buried" if job else _no_job(job_id)
        for job_id, job in zip(left, session.operator.job_stats(*left), strict=True)
    }
    return _report(session, "kicked", len(kicked), problems)


def delete(session: Session) -> int:
    """Delete jobs by their ids."""
    ids = list(map(check_id, session.options.ids))
    deleted = session.operator.delete(*ids)
    left = [job_id for job_id in ids if job_id not in set(deleted)]
    problems = {
        job_id: f"job {job_id} is reserved: only its worker can delete it"
        if job
        else _no_job(job_id)
        for job_id, job in zip(left, session.operator.job_stats(*left), strict=True)
    }
    return _report(session, "deleted", len(deleted), problems)


def _no_job(job_id: int) -> str:
    return f"there is no job {job_id}"


def _report(session: Session, done: str, count: int, problems: dict[int, str]) -> int:
    """Print how many jobs were changed, and why others were not."""
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
    _confirm(session, tube, free)
    cleared = _run(
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
    if session.options.yes or not (count := tube.jobs_in(states)):
        return
    jobs = formatting.number_of(count, f"{' and '.join(states)} job")
    answer = session.console.confirm(f"Delete {jobs} of tube {tube.tube!r} for good?")
    if answer is None:
        raise UsageError("there is no terminal to ask on: give --yes to delete jobs")
    if not answer:
        raise CommandError("nothing was deleted")


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


def _run(
    session: Session, title: str, total: int, change: Callable[[OnStep], int]
) -> int:
    """Change jobs, show the progress, and return how many were changed."""
    count = 0
    with session.console.progress(title, total) as advance:

        def on_step(jobs: list[JobStats]) -> None:
            nonlocal count
            count += len(jobs)
            advance(count, total)

        try:
            return change(on_step)
        except BaseException:
            jobs = formatting.number_of(count, "job")
            session.console.note(f"{title} was interrupted after {jobs}")
            raise
