"""The commands that change jobs and tubes: kick, delete, clear, pause and resume."""

from collections.abc import Iterator, Sequence

from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.screen import formatting
from jobqueue.admin.session import Session
from jobqueue.admin.sweep import Sweep
from jobqueue.broker.checks import check_id, whole_number
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState


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
    sweep = Sweep(session.connection, tube.tube, JobState.BURIED)
    count = min(tube.buried, tube.buried if options.all else options.count)
    walk = sweep.in_any_order if options.all else sweep.in_order
    steps = walk(session.connection.kick_jobs, count)
    kicked = _run(session, "Kicking", steps, count)
    if session.console.as_json:
        session.console.json({"kicked": kicked})
    else:
        jobs = formatting.number_of(kicked, "job")
        session.console.line(f"Kicked {jobs} of tube {tube.tube!r}")
    return 0 if kicked else 1


def _kick_by_id(session: Session, ids: Sequence[int]) -> int:
    records = list(session.connection.jobs(ids))
    buried = [job.id for job in records if job and job.state == JobState.BURIED]
    results = session.connection.kick_jobs(buried)
    kicked = {job_id for job_id, done in zip(buried, results, strict=True) if done}
    problems = {
        job_id: f"job {job_id} is {job.state}, not buried" if job else _no_job(job_id)
        for job_id, job in zip(ids, records, strict=True)
        if job_id not in kicked
    }
    return _report(session, "kicked", len(kicked), problems)


def delete(session: Session) -> int:
    """Delete jobs by their ids."""
    ids = list(map(check_id, session.options.ids))
    results = list(session.connection.delete_jobs(ids))
    failed = [job_id for job_id, done in zip(ids, results, strict=True) if not done]
    problems = {
        job_id: f"job {job_id} is reserved: only its worker can delete it"
        if job
        else _no_job(job_id)
        for job_id, job in zip(failed, session.connection.jobs(failed), strict=True)
    }
    return _report(session, "deleted", sum(results), problems)


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
    connection, console, states = session.connection, session.console, session.states()
    tube = session.tube()
    free = [state for state in dict.fromkeys(states) if state is not JobState.RESERVED]
    _confirm(session, tube, free)
    cleared = 0
    for state in free:
        sweep = Sweep(connection, tube.tube, state)
        count = tube.jobs_in([state])
        steps = sweep.in_any_order(connection.delete_jobs, count)
        cleared += _run(session, "Deleting", steps, count)
    left = connection.tube(tube.tube)
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
    if not session.connection.pause(name, seconds):
        raise CommandError(f"tube {name!r} has gone meanwhile")
    if session.console.as_json:
        session.console.json({"tube": name, "paused": seconds})
    else:
        session.console.line(f"Tube {name!r} {result}")
    return 0


def _run(session: Session, title: str, steps: Iterator[int], total: int) -> int:
    """Run the steps, show their progress, and return how many jobs they changed."""
    count = 0
    with session.console.progress(title, total) as advance:
        try:
            while True:
                with session.interrupts:
                    step = next(steps, None)
                    count += step or 0
                if step is None:
                    return count
                advance(count, total)
        except BaseException:
            jobs = formatting.number_of(count, "job")
            session.console.note(f"{title} was interrupted after {jobs}")
            raise
