"""Reading the notes of failures that workers have put into the broker.

Notes are jobs, in tubes of their own that no worker watches. A reader reserves them
all, reads them, and closes its connection: then they are ready again, as they were. A
second reader at the same moment gets only those that the first one has not reserved, so
it looks again for the others.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.reading import ReadingConnection
from jobqueue.job.backoff import random_fraction
from jobqueue.job.note import FailureNote, decode_note
from jobqueue.job.note_tubes import is_notes_tube
from jobqueue.operating.apart import notes_tubes

_PATIENCE = 5.0  # seconds for other readers to end
_LONGEST_PAUSE = 0.02  # seconds


class Noted(NamedTuple):
    """A note, and its own id: notes are jobs themselves."""

    id: int
    note: FailureNote


class Notes(NamedTuple):
    """The notes of some tubes, the oldest first.

    ``missing`` is how many notes other readers held all the time.
    """

    noted: list[Noted]
    missing: int = 0

    def last_of_jobs(self) -> Mapping[int, FailureNote]:
        """Return the latest note of each job, by the job's id."""
        return {note.job_id: note for _, note in self.noted}

    def ids_of(self, jobs: Collection[int]) -> list[int]:
        """Return the ids of the notes that are about these jobs."""
        return [noted.id for noted in self.noted if noted.note.job_id in jobs]

    def ids_by_job(self) -> Mapping[int, list[int]]:
        """Return the ids of the notes about each job, by the job's id."""
        found: dict[int, list[int]] = {}
        for noted in self.noted:
            found.setdefault(noted.note.job_id, []).append(noted.id)
        return found


View = Callable[[FailureNote], FailureNote | None]


def read_notes(
    address: Address,
    tubes: Collection[str] | None = None,
    view: View = FailureNote.brief,
) -> Notes:
    """Return the notes about the jobs of some tubes, or of all.

    ``view`` makes of each note what is to be kept of it, as there may be many: by
    default all but the traceback and the body; with None, the note is left out. A tube
    of notes holds whatever was put there: what is no note is left out as well.
    """
    deadline = time.monotonic() + _PATIENCE
    found: dict[int, FailureNote | None] = {}
    while True:
        with ReadingConnection(address) as connection:
            names = _tubes_of_notes(connection, tubes)
            expected, latest = _reserved(connection, names, view)
            known = _existing(connection, found.keys() - latest.keys())
        found = {note_id: found[note_id] for note_id in known} | latest
        missing = expected - len(found)  # another reader had them
        if missing <= 0 or time.monotonic() > deadline:
            return Notes(_sorted(found), max(0, missing))
        _pause()


def read_notes_about(
    address: Address, job_id: int, tubes: Collection[str] | None = None
) -> Notes:
    """Return the notes about one job, whole."""
    return read_notes(
        address, tubes, lambda note: note if note.job_id == job_id else None
    )


def delete_notes(connection: OperatorConnection, ids: Iterable[int]) -> None:
    """Delete notes by their own ids. One that a reader holds is tried again."""
    deadline = time.monotonic() + _PATIENCE
    left = list(ids)
    while left:
        for _ in connection.delete_jobs(left):
            pass
        left = _existing(connection, left)
        if time.monotonic() > deadline:
            return
        if left:
            _pause()


def _pause() -> None:
    """Wait a little: two readers at the same pace would meet again and again."""
    time.sleep(_LONGEST_PAUSE * random_fraction())


def _tubes_of_notes(
    connection: OperatorConnection, tubes: Collection[str] | None
) -> list[str]:
    """Return the tubes of notes that exist; to watch another one would make it."""
    existing = filter(is_notes_tube, connection.tubes())
    if tubes is None:
        return list(existing)
    wanted = {name for tube in tubes for name in notes_tubes(tube)}
    return [name for name in existing if name in wanted]


def _reserved(
    connection: ReadingConnection, names: list[str], view: View
) -> tuple[int, dict[int, FailureNote | None]]:
    """Return how many notes there were, and what to keep of those reserved."""
    counts = [tube for tube in connection.tube_stats(names) if tube]
    ready = sum(tube.ready for tube in counts)
    total = ready + sum(tube.reserved for tube in counts)
    if not ready:
        return total, {}
    connection.watch_only(names)
    return total, {
        note_id: view(note) if (note := decode_note(body)) else None
        for note_id, body in connection.read_many(ready)
    }


def _existing(connection: OperatorConnection, ids: Iterable[int]) -> list[int]:
    ids = list(ids)
    return [i for i, job in zip(ids, connection.jobs(ids), strict=True) if job]


def _sorted(found: Mapping[int, FailureNote | None]) -> list[Noted]:
    """Return the notes that are kept, the oldest first."""
    noted = [Noted(note_id, note) for note_id, note in found.items() if note]
    return sorted(noted, key=lambda noted: (noted.note.when, noted.id))
