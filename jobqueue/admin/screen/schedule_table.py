"""The table of ``schedules``."""

from collections.abc import Iterable

from jobqueue.admin.screen.table import Cell, Column, Table
from jobqueue.operating import formatting
from jobqueue.operating.schedules import ScheduleRecord
from jobqueue.safe_text import one_line

_WRONG = "bold red"  # the style of what is late, and of what nobody keeps


def table_of(records: Iterable[ScheduleRecord]) -> Table:
    """Return the table of ``schedules``."""
    columns = [
        Column("SCHEDULE", min_width=12),
        Column("DUE", min_width=8, rank=2),
        Column("NEXT", rank=3),
        Column("IN", is_number=True),
        Column("LAST", is_number=True, rank=1),
        Column("JOB", is_number=True, rank=4),
        Column("WORKERS", is_number=True),
    ]
    rows = [
        [
            Cell(one_line(record.name), "bold"),
            Cell(one_line(record.definition)),
            Cell(f"{record.next_due:%Y-%m-%d %H:%M:%S}"),
            Cell(
                formatting.duration(record.due_in), _WRONG if record.due_in < 0 else ""
            ),
            Cell(formatting.ago(record.last_put) if record.last_put else "-"),
            Cell(str(record.last_job or "-")),
            Cell(str(record.workers), "" if record.workers else _WRONG),
        ]
        for record in records
    ]
    return Table(columns, rows)


def _due_in(seconds: int) -> Cell:
    return Cell(formatting.duration(seconds), _WRONG if seconds < 0 else "")
