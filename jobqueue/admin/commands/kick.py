"""The command kick: buried jobs become ready."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jobqueue.admin.commands import selecting
from jobqueue.admin.commands.change import no_job, report, run
from jobqueue.admin.commands.last_kicks import LastKicks
from jobqueue.admin.errors import UsageError
from jobqueue.admin.found_jobs import Jobs
from jobqueue.admin.session import Session
from jobqueue.broker.stats import JobState
from jobqueue.job.note import FailureNote
from jobqueue.operating import formatting
from jobqueue.operating.last_kicks import GRANT


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
    failures = session.operator.notes(tube.tube).last_of_jobs()
    if session.options.dry_run:
        known = _last_kicks_of_all(session, failures) if count is None else []
        return _say_what_would_be(session, most, last=known)
    if session.console.is_interactive and most > 1:
        jobs = formatting.number_of(most, "buried job")
        known = _last_kicks_of_all(session, failures) if count is None else []
        question = " ".join((f"Kick {jobs} of tube {tube.tube!r}?", *_stopped(known)))
        selecting.confirm(session, question, nothing="kick jobs")
    last = LastKicks(failures)
    kicked = run(
        session,
        "Kicking",
        most,
        lambda on_step: session.operator.kick_all(
            tube.tube, count=count, on_step=on_step
        ),
        last.add,
    )
    if session.console.as_json:
        session.console.json({"kicked": kicked})
    else:
        jobs = formatting.number_of(kicked, "job")
        session.console.line(f"Kicked {jobs} of tube {tube.tube!r}")
    _say_what_it_grants(session, kicked, last.sentences())
    return 0 if kicked else 1


def _last_kicks_of_all(
    session: Session, failures: Mapping[int, FailureNote]
) -> list[str]:
    """Return what is known of the buried jobs of a tube before these are looked at."""
    last = LastKicks(failures)
    noted = session.operator.job_stats(*last.noted())
    last.add(job for job in noted if job and job.state == JobState.BURIED)
    return last.sentences()


def _last_kicks_of(session: Session, jobs: Jobs) -> LastKicks:
    """Return which of these buried jobs a kick is the last for."""
    tubes = {job.tube for job in jobs}
    if not tubes:
        return LastKicks({})
    notes = session.operator.notes(tubes.pop() if len(tubes) == 1 else None)
    last = LastKicks(notes.last_of_jobs())
    last.add(jobs)
    return last


def _kick_selected(session: Session) -> int:
    jobs = selecting.selected(session, session.named_tubes(), [JobState.BURIED])
    last = _last_kicks_of(session, jobs).sentences()
    if session.options.dry_run or not len(jobs):
        ids = array("Q", (job.id for job in jobs))
        return _say_what_would_be(session, len(jobs), ids, last)
    if len(jobs) > 1:
        question = " ".join((f"Kick {selecting.described(jobs)}?", *_stopped(last)))
        selecting.confirm(session, question, nothing="kick more than one job")
    kicked = selecting.change(session, "Kicking", jobs, session.operator.kick)
    if session.console.as_json:
        session.console.json({"kicked": len(kicked)})
    else:
        session.console.line(f"Kicked {selecting.described(kicked)}")
    _say_what_it_grants(session, len(kicked), last)
    return 0 if len(kicked) else 1


def _kick_by_id(session: Session, ids: Sequence[int]) -> int:
    found = [job for job in session.operator.job_stats(*ids) if job]
    buried = [job for job in found if job.state == JobState.BURIED]
    last = _last_kicks_of(session, buried).sentences()
    if session.options.dry_run:
        which = [job.id for job in buried]
        return _say_what_would_be(session, len(buried), which, last)
    kicked = set(session.operator.kick(*ids))
    left = [job_id for job_id in ids if job_id not in kicked]
    problems = {
        job_id: f"job {job_id} is {job.state}, not buried" if job else no_job(job_id)
        for job_id, job in zip(left, session.operator.job_stats(*left), strict=True)
    }
    status = report(session, "kicked", len(kicked), problems)
    _say_what_it_grants(session, len(kicked), last)
    return status


def _stopped(sentences: Iterable[str]) -> Iterator[str]:
    return (f"{sentence}." for sentence in sentences)


def _say_what_it_grants(session: Session, kicked: int, last: Iterable[str]) -> None:
    if kicked:
        for sentence in (GRANT, *last):
            session.console.note(sentence)


def _say_what_would_be(
    session: Session,
    count: int,
    ids: Sequence[int] | None = None,
    last: Iterable[str] = (),
) -> int:
    """Print how many jobs would be kicked, and which."""
    if session.console.as_json:
        which = {} if ids is None else {"would_kick": list(ids)}
        session.console.json({"kicked": 0, "count": count, **which})
    else:
        which_ones = f": {selecting.listed(ids)}" if ids else ""
        jobs = formatting.number_of(count, "job")
        session.console.line(f"Would kick {jobs}{which_ones}")
    for sentence in last:
        session.console.note(sentence)
    return 0 if count else 1
