"""The commands that change nothing: stats, top, list and show."""

from collections.abc import Iterator
from itertools import islice

from jobqueue.admin.errors import CommandError
from jobqueue.admin.found_jobs import FoundJobs
from jobqueue.admin.jsonl import as_values
from jobqueue.admin.screen import views
from jobqueue.admin.screen.console import Console
from jobqueue.admin.session import Session
from jobqueue.admin.top import loop as top_loop
from jobqueue.broker.checks import check_id
from jobqueue.broker.stats import JobStats
from jobqueue.operating.finder import Finder
from jobqueue.operating.record import JobRecord

_BATCH = 500  # jobs whose bodies are asked for together


def stats(session: Session) -> int:
    """Show the counts of some tubes, or of all, and a line about the server."""
    operator, console = session.operator, session.console
    names = session.options.tubes
    found = operator.tubes(*names)
    server = operator.server()
    if console.as_json:
        tubes = [tube.as_dict() for tube in found]
        console.json({"server": server.as_dict(), "tubes": tubes})
    else:
        if found:
            console.table(views.tubes(found))
            console.line("")
        console.line(views.server(server))
    existing = {tube.tube for tube in found}
    if missing := [name for name in names if name not in existing]:
        raise session.no_tube(missing[0])
    return 0


def top(session: Session) -> int:
    """Show the counts of all tubes, live."""
    top_loop.run(session.address, session.console, session.options.interval)
    return 0


def list_jobs(session: Session) -> int:
    """Show the jobs of a tube."""
    console, limit = session.console, session.options.limit
    found = FoundJobs()
    with session.finding() as finder:
        with console.progress("Looking for jobs", finder.total) as advance:
            for jobs in finder.blocks():
                found.add(jobs)
                advance(finder.looked_at, finder.total)
                if limit is not None and len(found) >= limit:
                    break
        overdue = _print_jobs(console, finder, islice(found, limit))
        if overdue and not console.as_json:
            console.line(f"\n{views.overdue(overdue)}")
        if limit is None or len(found) < limit:
            finder.check_complete()
    return 0


def _print_jobs(console: Console, finder: Finder, jobs: Iterator[JobStats]) -> int:
    """Print jobs with their bodies, and return how many are overdue.

    Only one body is held at a time, and only some of the jobs: there may be many.
    """
    overdue = 0

    def existing() -> Iterator[JobRecord]:
        nonlocal overdue
        while batch := list(islice(jobs, _BATCH)):
            overdue += sum(job.overdue > 0 for job in batch)
            yield from finder.with_bodies(batch)

    if console.as_json:
        for job in existing():
            console.json(views.job_values(job))
    else:
        console.long_table(views.JOB_COLUMNS, map(views.job_row, existing()))
    return overdue


def show(session: Session) -> int:
    """Show everything that the broker knows about one job."""
    job_id = check_id(session.options.id)
    job = session.operator.job(job_id)
    if job is None:
        raise CommandError(
            f"beanstalkd at {session.address} has no job {job_id}: it was done or "
            "deleted, or never existed"
        )
    if session.console.as_json:
        session.console.json(as_values(job))
    else:
        session.console.line(views.one_job(job))
    return 0
