"""Groups of failures: how many jobs failed alike, since when, and what is left."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.job.note import FailureNote, NoteKind

SHOWN_TEXT = 200  # characters of an error's text in a group


class FailureGroup(NamedTuple):
    """The failures of one function, in one tube, with errors of one class.

    ``func_name`` is None for jobs whose body gives none.
    """

    tube: str
    func_name: str | None
    error: str  # the name of its class
    failed: int  # for good: the job was buried, or deleted for its kicks
    retries: int  # failures after which the job was tried again
    buried: int  # jobs that are still buried, and failed like this the last time
    first: datetime
    last: datetime
    last_job: int  # the id of the job that failed last
    last_text: str  # of that job's error, its beginning

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        values: dict[str, object] = self._asdict()
        values["first"] = self.first.isoformat()
        values["last"] = self.last.isoformat()
        return values


def grouped(
    notes: Iterable[FailureNote], jobs: Mapping[int, JobStats | None]
) -> list[FailureGroup]:
    """Return the groups of notes that come oldest first; the largest groups first.

    ``jobs`` are the present counts of the jobs that the notes are about.
    """
    groups: dict[tuple[str, str | None, str], list[FailureNote]] = {}
    last = {}
    for note in notes:
        groups.setdefault((note.tube, note.func_name, note.error), []).append(note)
        last[note.job_id] = note
    buried = [note for note in last.values() if is_buried(note, jobs.get(note.job_id))]
    found = [_group(members, buried) for members in groups.values()]
    return sorted(
        found,
        key=lambda group: (
            -group.failed,
            -group.retries,
            (group.tube, group.func_name or "", group.error),
        ),
    )


def is_buried(note: FailureNote, job: JobStats | None) -> bool:
    """Return whether the job that a note is about is buried now."""
    return job is not None and (job.state, job.tube) == (JobState.BURIED, note.tube)


def _group(notes: list[FailureNote], buried: list[FailureNote]) -> FailureGroup:
    last = notes[-1]
    retries = sum(note.kind is NoteKind.RETRIED for note in notes)
    key = (last.tube, last.func_name, last.error)
    return FailureGroup(
        *key,
        failed=len(notes) - retries,
        retries=retries,
        buried=sum((note.tube, note.func_name, note.error) == key for note in buried),
        first=notes[0].when,
        last=last.when,
        last_job=last.job_id,
        last_text=last.error_text,
    )
