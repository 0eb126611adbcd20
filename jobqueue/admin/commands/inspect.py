"""The commands that look: stats, top, list, show and export."""

from collections.abc import Iterable

from jobqueue.admin.commands.transfer import exported
from jobqueue.admin.jsonl import as_values
from jobqueue.admin.screen import formatting, views
from jobqueue.admin.screen.console import Console
from jobqueue.admin.search import Search
from jobqueue.admin.session import CommandError, Session, no_tube
from jobqueue.admin.top import loop as top_loop
from jobqueue.broker.checks import check_id, check_tube
from jobqueue.broker.stats import JobRecord, JobState


def stats(session: Session) -> int:
    """Show the counts of some tubes, or of all, and the server's own line."""
    operator, console = session.operator, session.console
    names = [check_tube(name) for name in session.options.tubes] or operator.tubes()
    records = dict(zip(names, operator.tube_records(names), strict=True))
    found = [tube for tube in records.values() if tube]
    server = operator.server()
    if console.as_json:
        tubes = [tube.as_dict() for tube in found]
        console.json({"server": server.as_dict(), "tubes": tubes})
    else:
        if found:
            console.table(views.tubes(found))
            console.line("")
        console.line(views.server(server))
    missing = [name for name, tube in records.items() if not tube]
    if missing and session.options.tubes:
        raise no_tube(session.address, missing[0])
    return 0


def top(session: Session) -> int:
    """Show the counts of all tubes, live."""
    top_loop.run(session.address, session.console, session.options.interval)
    return 0


def list_jobs(session: Session) -> int:
    """Show the jobs of a tube."""
    operator, console, limit = session.operator, session.console, session.options.limit
    search = _search(session)
    found: list[JobRecord] = []
    with console.progress("Looking for jobs", search.total) as advance:
        for jobs in search.blocks():
            found += jobs
            advance(search.found, search.total)
            if limit is not None and len(found) >= limit:
                break
    found = sorted(found, key=lambda job: job.id)[:limit]
    _print_jobs(console, found, operator.bodies(job.id for job in found))
    is_cut = limit is not None and len(found) >= limit
    return 0 if is_cut else _check_complete(search)


def _print_jobs(
    console: Console, jobs: Iterable[JobRecord], bodies: Iterable[bytes | None]
) -> None:
    """Print jobs, with bodies as they come: many large ones would need much memory."""
    there = (
        (job, body)
        for job, body in zip(jobs, bodies, strict=True)
        if body is not None  # else it has gone meanwhile
    )
    if console.as_json:
        for job, body in there:
            console.json(views.job_values(job, body))
        return
    table = views.jobs(there)
    if table.rows:
        console.table(table)


def show(session: Session) -> int:
    """Show everything about one job."""
    job_id = check_id(session.options.id)
    found = session.operator.job(job_id)
    if found is None:
        raise CommandError(
            f"beanstalkd at {session.address} has no job {job_id}: it is done or "
            "deleted, or never was"
        )
    if session.console.as_json:
        session.console.json(as_values(*found))
    else:
        session.console.line(views.one_job(*found))
    return 0


def export(session: Session) -> int:
    """Write the jobs of a tube as lines of JSON."""
    console = session.console
    search = _search(session)
    count = 0
    try:
        with console.progress("Exporting", search.total) as advance:
            for lines in exported(session.operator, search):
                with session.interrupts:  # whole lines only
                    console.bytes(b"".join(lines))
                    count += len(lines)
                advance(count, search.total)
    finally:
        console.note(
            f"Exported {formatting.number_of(count, 'job')}; all are still there"
        )
    return _check_complete(search)


def _search(session: Session) -> Search:
    tube = session.tube(check_tube(session.options.tube))
    states = [JobState(name) for name in session.options.states] or list(JobState)
    return Search(session.operator, tube, states)


def _check_complete(search: Search) -> int:
    if search.missing:
        raise CommandError(
            f"this is incomplete: {formatting.number_of(search.missing, 'more job')} "
            "should be there, but this server does not tell where its ids end, and "
            "they lie too far apart to ask about each"
        )
    return 0
