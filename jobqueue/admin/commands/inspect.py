"""The commands that change nothing: stats, top, list and show."""

from collections.abc import Iterator, Mapping
from itertools import islice

from jobqueue.admin.errors import CommandError
from jobqueue.admin.found_jobs import FoundJobs
from jobqueue.admin.jsonl import as_values, failure_values
from jobqueue.admin.screen import failure_views, views
from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.table import Cell
from jobqueue.admin.session import Session
from jobqueue.admin.top import loop as top_loop
from jobqueue.broker.checks import check_id
from jobqueue.broker.stats import JobStats
from jobqueue.job.note import FailureNote
from jobqueue.operating.finder import Finder
from jobqueue.operating.record import JobRecord

DEFAULT_LIMIT = 100  # jobs, unless they are printed as JSON
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
        console.paragraph(views.server(server))
        if server.binlog_excess:
            console.line("")
            console.paragraph(views.large_binlog(server))
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
    if limit is None and not console.as_json:
        limit = DEFAULT_LIMIT
    failures = session.operator.notes(session.options.tube).last_of_jobs()
    found, is_whole = FoundJobs(), True
    with session.finding() as finder:
        with console.progress("Looking for jobs", finder.total) as advance:
            for jobs in finder.blocks():
                found.add(jobs)
                advance(finder.looked_at, finder.total)
                if limit is not None and len(found) >= limit:
                    is_whole = False
                    break
        overdue = _print_jobs(console, finder, islice(found, limit), failures)
        if overdue and not console.as_json:
            console.line("")
            console.paragraph(views.overdue(overdue))
        if is_whole:
            finder.check_complete()
            session.say_without_note(finder.without_note)
        left_out = max(len(found), 0 if session.has_filters else finder.total)
        left_out -= len(found) if limit is None else min(limit, len(found))
        if left_out and session.options.limit is None:
            console.note(f"{left_out:,} more are left out: --limit N shows N jobs")
    return 0


def _print_jobs(
    console: Console,
    finder: Finder,
    jobs: Iterator[JobStats],
    failures: Mapping[int, FailureNote],
) -> int:
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
            console.json(views.job_values(job, failures.get(job.id)))
    else:
        columns = views.job_columns(with_failures=bool(failures))
        rows = (_row(job, failures) for job in existing())
        console.long_table(columns, rows, views.legend)
    return overdue


def _row(job: JobRecord, failures: Mapping[int, FailureNote]) -> list[Cell]:
    failure = failure_views.failure_cells(failures.get(job.id)) if failures else ()
    return views.job_row(job, failure)


def show(session: Session) -> int:
    """Show everything that the broker knows about one job, and why it failed."""
    job_id = check_id(session.options.id)
    job = session.operator.job(job_id)
    failure = session.operator.failure(job_id)
    if job is None and failure is None:
        raise CommandError(
            f"beanstalkd at {session.address} has no job {job_id}: it was done or "
            "deleted, or never existed"
        )
    if session.console.as_json:
        values = {} if job is None else as_values(job)
        noted = None if failure is None else failure_values(failure)
        session.console.json(values | {"failure": noted})
        return 0
    if job is not None:
        session.console.line(views.one_job(job))
    if failure is not None:
        session.console.line(
            failure_views.one_failure(failure, after_job=job is not None)
        )
    return 0
