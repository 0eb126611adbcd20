"""The broker's records as tables, as lines, and as values for ``--json``."""

import functools
from collections.abc import Iterable

from jobqueue.admin.screen.table import Cell, Column, Table, count
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.job.note import FailureNote
from jobqueue.operating import formatting
from jobqueue.operating.record import JobRecord
from jobqueue.safe_text import one_line

CALL_WIDTH = 200  # characters
TUBE_COLUMN = Column("TUBE", min_width=12)
# Where lines have no room for all columns, the last of these are left out first.
_OPTIONAL = ["RESERVED", "DELAYED", "PAUSED", "NOTED", "DEL/S", "PUT/S"]
_OPTIONAL += ["WAIT", "WATCH", "PUTS"]
_RANKS = {title: rank for rank, title in enumerate(_OPTIONAL, 1)}

STYLES = {
    JobState.READY: "green",
    JobState.DELAYED: "yellow",
    JobState.RESERVED: "cyan",
    JobState.BURIED: "bold red",
}
_OVERDUE = "bold red"  # the style of a time to run that has ended
_STATES = {str(state): Cell(state, style) for state, style in STYLES.items()}


def tube_number(title: str) -> Column:
    """Return a column of numbers about tubes."""
    return Column(title, is_number=True, rank=_RANKS.get(title, 0))


def state_columns() -> list[Column]:
    """Return the columns of the states."""
    return [tube_number(state.upper()) for state in JobState]


def state_counts(tube: TubeStats | ServerStats) -> list[Cell]:
    """Return the cells with the number of jobs in each state."""
    return [count(getattr(tube, state), STYLES[state]) for state in JobState]


def name_of(tube: TubeStats) -> Cell:
    """Return a tube's name, with a mark if the tube is paused."""
    if tube.paused:
        return Cell(f"{tube.tube} (paused)", "yellow")
    return Cell(tube.tube, "bold")


def tubes(records: Iterable[TubeStats]) -> Table:
    """Return the table of ``stats``."""
    numbers = ("WATCH", "WAIT", "PUTS", "PAUSED", "NOTED")
    columns = [TUBE_COLUMN, *state_columns(), *map(tube_number, numbers)]
    rows = [
        [
            Cell(tube.tube, "bold"),
            *state_counts(tube),
            count(tube.watching),
            count(tube.waiting),
            count(tube.puts),
            Cell(formatting.duration(tube.paused), "yellow")
            if tube.paused
            else Cell("-", "dim"),
            count(tube.failures_noted),
        ]
        for tube in records
    ]
    return Table(columns, rows)


def server(record: ServerStats) -> str:
    """Return the line about the server."""
    files = formatting.number_of(record.binlog_files, "file")
    size = formatting.size(record.binlog_size)
    parts = [
        f"beanstalkd {one_line(record.version)}",
        f"up {formatting.duration(record.uptime)}",
        f"binlog of {files} ({size})" if record.has_binlog else "no binlog",
        _DRAINING[record.is_draining],
        f"jobs of up to {formatting.size(record.max_job_size)}",
        _noted(record.failures_noted),
    ]
    return ", ".join(part for part in parts if part)


def large_binlog(record: ServerStats) -> str:
    """Return the line about a binlog that is larger than its jobs explain."""
    return (
        f"The binlog has {formatting.size(record.binlog_size)}, which is more than the "
        "jobs in it can need: each retry and each kick adds a record. It shrinks when "
        "the jobs that are retried again and again are done or deleted: `jobqueue "
        "list` has their releases (REL) and kicks (KIC). A longer backoff slows it."
    )


def _noted(failures: int) -> str:
    return f"{formatting.number_of(failures, 'failure')} noted" if failures else ""


_DRAINING = {True: "draining: refuses new jobs", False: "not draining", None: ""}


_COUNTERS = {
    "PRI": "priority",
    "RES": "reserves",
    "TMO": "timeouts",
    "REL": "releases",
    "BUR": "buries",
    "KIC": "kicks",
}


def job_columns(*, with_failures: bool) -> list[Column]:
    """Return the columns of ``list``."""
    failure = [
        Column("FAILED", is_number=True),
        Column("WHY", min_width=12, good_width=20),
    ]
    return [
        Column("ID", is_number=True),
        Column("STATE", rank=1),
        Column("AGE", is_number=True, rank=2),
        Column("LEFT", is_number=True, rank=3),
        *(failure if with_failures else []),
        Column("CALL", min_width=8, good_width=30),
        *(
            Column(name, is_number=True, rank=4 + n, is_extra=True)
            for n, name in enumerate(_COUNTERS)
        ),
    ]


def legend(columns: Iterable[Column]) -> str:
    """Return what those of the columns count whose titles don't say it."""
    titles = [column.title for column in columns if column.title in _COUNTERS]
    return ", ".join(f"{title}: {_COUNTERS[title]}" for title in titles)


def overdue(count: int) -> str:
    """Return the line about jobs that are past their time to run."""
    jobs_are = "1 job is past its" if count == 1 else f"{count:,} jobs are past their"
    return (
        f"{jobs_are} ttr (LEFT is below 0), and still reserved by a worker that is "
        "frozen or cut off. `jobqueue list --help` says why."
    )


def job_row(record: JobRecord, failure: Iterable[Cell] = ()) -> list[Cell]:
    """Return a row of the table of ``list``, with the cells of the job's failure."""
    job = record.stats
    counts = (job.reserves, job.timeouts, job.releases, job.buries, job.kicks)
    return [
        Cell(str(job.id), "bold"),
        _STATES[job.state],
        plain(formatting.brief(job.age)),
        Cell(_left(job), _OVERDUE) if job.overdue else plain(_left(job)),
        *failure,
        Cell(formatting.shortened(formatting.call(record), CALL_WIDTH)),
        plain(str(job.priority)),
        *map(count, counts),
    ]


plain = functools.lru_cache(maxsize=1024)(Cell)  # many jobs have equal cells


def _left(job: JobStats) -> str:
    has_end = job.state in (JobState.DELAYED, JobState.RESERVED)
    return formatting.brief(job.time_left) if has_end else "-"


def job_values(job: JobRecord, failure: FailureNote | None) -> dict[str, object]:
    """Return the values of a job in ``list --json``."""
    values = job.stats.as_dict() | {"func_name": job.func_name, "kwargs": job.kwargs}
    return values | (
        {
            "headers": job.headers,
            "error": failure.error if failure else None,
            "error_text": failure.error_text if failure else None,
            "failed_at": failure.when.isoformat() if failure else None,
        }
    )


def one_job(record: JobRecord) -> str:
    """Return the lines of ``show``."""
    job = record.stats
    lines = {
        "job": job.id,
        "tube": job.tube,
        "state": f"{job.state}{_left_in_words(job)}",
        "age": formatting.duration(job.age),
        "priority": job.priority,
        "delay": f"{job.delay} s, at its last put or release",
        "ttr": f"{job.ttr} s",
        "reserves": job.reserves,
        "timeouts": job.timeouts,
        "releases": job.releases,
        "buries": job.buries,
        "kicks": job.kicks,
        "body": f"{len(record.body):,} bytes",
    }
    head = "\n".join(f"{key:<9} {value}" for key, value in lines.items())
    return f"{head}\n\n{formatting.pretty(record.body)}"


def _left_in_words(job: JobStats) -> str:
    if job.overdue:
        return (
            f" (past its ttr by {formatting.duration(job.overdue)}: its worker is "
            "frozen or cut off, and beanstalkd waits for the end of its connection)"
        )
    left = formatting.duration(max(0, job.time_left))
    match job.state:
        case JobState.DELAYED:
            return f" (ready in {left})"
        case JobState.RESERVED:
            return f" ({left} of its ttr left)"
        case _:
            return ""
