"""The command kick: buried jobs become ready."""

from collections.abc import Sequence

from jobqueue.admin.commands import selecting
from jobqueue.admin.commands.change import no_job, report, run
from jobqueue.admin.errors import UsageError
from jobqueue.admin.session import Session
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.job.outcome import RetryPolicy
from jobqueue.operating import formatting

_ALLOWED = RetryPolicy().max_kicks or 0  # after so many, a job that fails is deleted
_GRANT = "A kicked job has its retries and its max_lost anew"


def kick(session: Session) -> int:
    """Make buried jobs ready, and no others."""
    options = session.options
    has_count = options.all or options.count is not None
    if options.ids:
        if options.tube or has_count or session.has_filters:
            raise UsageError("give either --job ID..., or a tube with --all or --count")
        return _kick_by_id(session, options.ids)
    if session.has_filters:
        if has_count:
            raise UsageError("give either --all or --count N, or what the jobs have")
        return _kick_selected(session)
    if not options.tube or options.all == (options.count is not None):
        raise UsageError("give a tube with either --all or --count N, or --job ID...")
    return _kick_tube(session)


def _kick_tube(session: Session) -> int:
    tube = session.tube()
    count = None if session.options.all else session.options.count
    most = tube.buried if count is None else min(tube.buried, count)
    if session.options.dry_run:
        return _say_what_would_be(session, most)
    if session.console.is_interactive and most > 1:
        jobs = formatting.number_of(most, "buried job")
        question = f"Kick {jobs} of tube {tube.tube!r}?"
        selecting.confirm(session, question, nothing="kick jobs")
    last: list[int] = []

    def note_last(jobs: list[JobStats]) -> None:
        last.extend(job.id for job in jobs if _is_last(job))

    kicked = run(
        session,
        "Kicking",
        most,
        lambda on_step: session.operator.kick_all(
            tube.tube, count=count, on_step=on_step
        ),
        note_last,
    )
    if session.console.as_json:
        session.console.json({"kicked": kicked})
    else:
        jobs = formatting.number_of(kicked, "job")
        session.console.line(f"Kicked {jobs} of tube {tube.tube!r}")
    _say_what_it_grants(session, kicked, last)
    return 0 if kicked else 1


def _kick_selected(session: Session) -> int:
    jobs = selecting.selected(session, session.named_tubes(), [JobState.BURIED])
    last = [job.id for job in jobs if _is_last(job)]
    if session.options.dry_run or not jobs:
        return _say_what_would_be(session, len(jobs), [job.id for job in jobs], last)
    if len(jobs) > 1:
        warning = f" {_last_kicks(last)}." if last else ""
        question = f"Kick {selecting.described(jobs)}?{warning}"
        selecting.confirm(session, question, nothing="kick more than one job")
    kicked = selecting.change(session, "Kicking", jobs, session.operator.kick)
    if session.console.as_json:
        session.console.json({"kicked": len(kicked)})
    else:
        done = [job for job in jobs if job.id in kicked]
        session.console.line(f"Kicked {selecting.described(done)}")
    _say_what_it_grants(session, len(kicked), [i for i in last if i in kicked])
    return 0 if kicked else 1


def _kick_by_id(session: Session, ids: Sequence[int]) -> int:
    if session.options.dry_run:
        found = [job for job in session.operator.job_stats(*ids) if job]
        buried = [job for job in found if job.state == JobState.BURIED]
        last = [job.id for job in buried if _is_last(job)]
        return _say_what_would_be(
            session, len(buried), [job.id for job in buried], last
        )
    before = session.operator.job_stats(*ids)
    kicked = session.operator.kick(*ids)
    last = [job.id for job in before if job and job.id in kicked and _is_last(job)]
    left = [job_id for job_id in ids if job_id not in set(kicked)]
    problems = {
        job_id: f"job {job_id} is {job.state}, not buried" if job else no_job(job_id)
        for job_id, job in zip(left, session.operator.job_stats(*left), strict=True)
    }
    status = report(session, "kicked", len(kicked), problems)
    _say_what_it_grants(session, len(kicked), last)
    return status


def _is_last(job: JobStats) -> bool:
    """Return whether a job is deleted if it fails after one more kick, by default."""
    return job.kicks + 1 >= _ALLOWED


def _last_kicks(ids: Sequence[int]) -> str:
    jobs = formatting.number_of(len(ids), "job")
    return (
        f"For {jobs} it is kick {_ALLOWED} or later: if it fails again, such a job is "
        f"deleted, unless its task has another max_kicks ({selecting.listed(ids)})"
    )


def _say_what_it_grants(session: Session, kicked: int, last: Sequence[int]) -> None:
    if kicked:
        session.console.note(_GRANT)
    if last:
        session.console.note(_last_kicks(last))


def _say_what_would_be(
    session: Session,
    count: int,
    ids: Sequence[int] | None = None,
    last: Sequence[int] = (),
) -> int:
    """Print how many jobs would be kicked, and which."""
    if session.console.as_json:
        which = {} if ids is None else {"would_kick": ids}
        session.console.json({"kicked": 0, **which})
    else:
        which_ones = f": {selecting.listed(ids)}" if ids else ""
        jobs = formatting.number_of(count, "job")
        session.console.line(f"Would kick {jobs}{which_ones}")
    if last:
        session.console.note(_last_kicks(last))
    return 0 if count else 1
