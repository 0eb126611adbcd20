"""The commands that change nothing: stats, top, list and show."""

from collections.abc import Iterator
from itertools import islice, starmap

from jobqueue.admin.errors import CommandError
from jobqueue.admin.found_jobs import FoundJobs
from jobqueue.admin.jsonl import as_values
from jobqueue.admin.screen import views
from jobqueue.admin.screen.console import Console
from jobqueue.admin.session import Session
from jobqueue.admin.top import loop as top_loop
from jobqueue.broker.checks import check_id, check_tube
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobStats

_BATCH = 500  # jobs whose bodies are asked for together


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
    found = FoundJobs()
    with console.progress("Looking for jobs", search.total) as advance:
        for jobs in search.blocks():
            found.add(jobs)
            advance(search.found, search.total)
            if limit is not None and len(found) >= limit:
                break
    overdue = _print_jobs(console, session.connection, islice(found, limit))
    if overdue and not console.as_json:
        console.line(f"\n{views.overdue(overdue)}")
    if limit is None or len(found) < limit:
        search.check_complete()
    return 0


def _print_jobs(
    console: Console, connection: OperatorConnection, jobs: Iterator[JobStats]
) -> int:
    """Print jobs with their bodies, and return how many are overdue.

    Only one body is held at a time, and only some of the jobs: there may be many.
    """
    overdue = 0

    def existing() -> Iterator[tuple[JobStats, bytes]]:
        nonlocal overdue
        while batch := list(islice(jobs, _BATCH)):
            overdue += sum(job.overdue > 0 for job in batch)
            bodies = connection.bodies(job.id for job in batch)
            for job, body in zip(batch, bodies, strict=True):
                if body is not None:  # else the job has been deleted meanwhile
                    yield job, body

    if console.as_json:
        for job, body in existing():
            console.json(views.job_values(job, body))
    else:
        console.long_table(views.JOB_COLUMNS, starmap(views.job_row, existing()))
    return overdue


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
