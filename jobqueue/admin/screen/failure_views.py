"""Failures as tables and as lines."""

from collections.abc import Iterable

from jobqueue.admin.screen.table import Cell, Column, Table, count
from jobqueue.admin.screen.views import CALL_WIDTH, STYLES, plain
from jobqueue.broker.stats import JobState
from jobqueue.job.note import FailureNote, NoteKind
from jobqueue.operating import formatting
from jobqueue.operating.failures import FailureGroup
from jobqueue.safe_text import one_line


def failure_cells(failure: FailureNote | None) -> list[Cell]:
    """Return when and why a job has failed, for a row of ``list``."""
    if failure is None:
        return [plain("-"), plain("-")]
    why = formatting.shortened(formatting.error(failure), CALL_WIDTH)
    return [plain(formatting.ago(failure.when)), Cell(why, "red")]


_KINDS = {
    NoteKind.BURIED: "buried",
    NoteKind.DELETED: "deleted: it had been kicked too often",
    NoteKind.RETRIED: "released, to be tried again",
}

_LAST_KICK = "; the next one is its last: if it fails again, it is deleted"


def one_failure(failure: FailureNote, *, after_job: bool) -> str:
    """Return the lines about one failure, for ``show`` and ``failures --job``."""
    function = failure.func_name
    lines = {
        "failed": f"{failure.when:%Y-%m-%d %H:%M:%S} UTC, "
        f"{formatting.ago(failure.when)} ago",
        "job": failure.job_id,
        "tube": failure.tube,
        "function": "-" if function is None else formatting.name_of(function),
        "error": formatting.error(failure),
        "outcome": f"{_KINDS[failure.kind]}, after attempt {failure.attempt}",
        "kicks": f"{failure.kicks}{_LAST_KICK if failure.last_kick else ''}",
        "worker": one_line(f"{failure.host}, process {failure.pid}"),
    }
    if after_job:
        del lines["job"], lines["tube"]
        if not failure.last_kick:
            del lines["kicks"]
    parts = ["\n".join(f"{key:<9} {value}" for key, value in lines.items())]
    if failure.traceback:
        parts.append(
            failure.traceback.rstrip("\n").replace("\n", "\n  ").join(("  ", ""))
        )
    if failure.body is not None:
        parts.append(formatting.pretty(failure.body))
    return ("\n" if after_job else "") + "\n\n".join(parts)


def failure_groups(groups: Iterable[FailureGroup]) -> Table:
    """Return the table of ``failures``."""
    columns = [
        Column("TUBE", min_width=8),
        Column("FUNCTION", min_width=8, good_width=16),
        Column("ERROR", min_width=8, good_width=16),
        Column("FAILED", is_number=True, rank=1),
        Column("BURIED", is_number=True),
        Column("RETRIED", is_number=True, rank=3, is_extra=True),
        Column("FIRST", is_number=True, rank=4),
        Column("LAST", is_number=True, rank=2),
        Column("JOB", is_number=True),
        Column("TEXT", min_width=12, rank=5, is_extra=True),
    ]
    rows = [
        [
            Cell(group.tube, "bold"),
            Cell(
                "-" if group.func_name is None else formatting.name_of(group.func_name)
            ),
            Cell(one_line(group.error), "red"),
            count(group.failed),
            count(group.buried, STYLES[JobState.BURIED]),
            count(group.retries),
            plain(formatting.ago(group.first)),
            plain(formatting.ago(group.last)),
            Cell(str(group.last_job)),
            Cell(formatting.shortened(one_line(group.last_text), CALL_WIDTH)),
        ]
        for group in groups
    ]
    return Table(columns, rows)
