"""The commands that change nothing: stats, top, list and show."""

from collections.abc import Iterable

from jobqueue.admin.errors import CommandError
from jobqueue.admin.jsonl import as_values
from jobqueue.admin.screen import views
from jobqueue.admin.screen.console import Console
from jobqueue.admin.session import Session
from jobqueue.admin.top import loop as top_loop
from jobqueue.broker.checks import check_id, check_tube
from jobqueue.broker.stats import JobStats


def stats(session: Session) -> int:
    """Show the counts of some tubes, or of all, and a line about the server."""
    connection, console = session.connection, session.console
    names = [check_tube(name) for name in session.options.tubes] or connection.tubes()
    records = dict(zip(names, connection.tube_stats(names), strict=True))
    found = [tube for tube in records.values() if tube]
    server = connection.server()
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
        raise session.no_tube(missing[0])
    return 0


def top(session: Session) -> int:
    """Show the counts of all tubes, live."""
    top_loop.run(session.address, session.console, session.options.interval)
    return 0


def list_jobs(session: Session) -> int:
    """Show the jobs of a tube."""
    console, limit = session.console, session.options.limit
    search = session.search()
    found: list[JobStats] = []
    with console.progress("Looking for jobs", search.total) as advance:
        for jobs in search.blocks():
            found += jobs
            advance(search.found, search.total)
            if limit is not None and len(found) >= limit:
                break
    found = sorted(found, key=lambda job: job.id)[:limit]
    _print_jobs(console, found, session.connection.bodies(job.id for job in found))
    overdue = sum(job.overdue > 0 for job in found)
    if overdue and not console.as_json:
        console.line(f"\n{views.overdue(overdue)}")
    if limit is None or len(found) < limit:
        search.check_complete()
    return 0


def _print_jobs(
    console: Console, jobs: Iterable[JobStats], bodies: Iterable[bytes | None]
) -> None:
    """Print jobs with their bodies, holding only one body at a time.

    Many large bodies would need much memory.
    """
    existing = (
        (job, body)
        for job, body in zip(jobs, bodies, strict=True)
        if body is not None  # None: the job has been deleted meanwhile
    )
    if console.as_json:
        for job, body in existing:
            console.json(views.job_values(job, body))
        return
    table = views.jobs(existing)
    if table.rows:
        console.table(table)


def show(session: Session) -> int:
    """Show everything that the broker knows about one job."""
    job_id = check_id(session.options.id)
    found = session.connection.job(job_id)
    if found is None:
        raise CommandError(
            f"beanstalkd at {session.address} has no job {job_id}: it was done or "
            "deleted, or never existed"
        )
    if session.console.as_json:
        session.console.json(as_values(*found))
    else:
        session.console.line(views.one_job(*found))
    return 0
