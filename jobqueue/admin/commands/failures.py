"""The command failures: why jobs failed, as the notes of their workers say it."""

from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.jsonl import failure_values
from jobqueue.admin.screen import failure_views
from jobqueue.admin.session import Session
from jobqueue.broker.checks import check_id
from jobqueue.operating import formatting
from jobqueue.operating.apart import check_job_tube


def failures(session: Session) -> int:
    """Show the failures of a tube's jobs, or of all, in groups; or those of one job."""
    tube = session.options.tube
    if session.options.job is not None:
        if tube or session.has_filters:
            raise UsageError("give either --job ID, or a tube and what the jobs have")
        return _failures_of_job(session, check_id(session.options.job))
    named = [check_job_tube(tube)] if tube else []
    groups, missing = session.operator.grouped(tube, session.filters())
    if session.console.as_json:
        session.console.json({"failures": [group.as_dict() for group in groups]})
    elif groups:
        session.console.table(failure_views.failure_groups(groups))
    else:
        is_narrowed = tube or session.has_filters
        session.console.note(f"No {'such ' if is_narrowed else ''}failure is noted")
    _say_what_is_missing(session, missing)
    if not session.has_filters:
        noted = sum(group.buried for group in groups)
        buried = sum(counts.buried for counts in session.operator.tubes(*named))
        session.say_without_note(max(0, buried - noted))
    return 0 if groups else 1


def _failures_of_job(session: Session, job_id: int) -> int:
    """Show each noted failure of a job, the oldest first."""
    notes = session.operator.notes_about(job_id)
    found = [note for _, note in notes.noted]
    if not found:
        raise CommandError(f"no failure of job {job_id} is noted")
    if session.console.as_json:
        session.console.json({"failures": list(map(failure_values, found))})
    else:
        shown = (failure_views.one_failure(note, after_job=False) for note in found)
        session.console.line("\n\n".join(shown))
    _say_what_is_missing(session, notes.missing)
    return 0


def _say_what_is_missing(session: Session, missing: int) -> None:
    if missing:
        notes = formatting.number_of(missing, "note")
        session.console.note(f"{notes} could not be read: another reader has them")
