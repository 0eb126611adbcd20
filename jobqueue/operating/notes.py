"""Reading the notes of failures that workers have put into the broker.

Notes are jobs, in tubes of their own that no worker watches. A reader reserves them
all, reads them, and closes its connection: then they are ready again, as they were. A
second reader at the same moment gets only those that the first one has not reserved, so
it looks again for the others.
"""

import time
from collections.abc import Collection, Iterable, Mapping
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


def read_notes(
    address: Address, tubes: Collection[str] | None = None, about: int | None = None
) -> Notes:
    """Return the notes about the jobs of some tubes, or of all; or about one job.

    A tube of notes holds whatever was put there: what is no note is left out.
    """
    deadline = time.monotonic() + _PATIENCE
    found: dict[int, bytes] = {}
    while True:
        with ReadingConnection(address) as connection:
            names = _tubes_of_notes(connection, tubes)
            expected, latest = _reserved(connection, names)
            known = _existing(connection, found.keys() - latest.keys())
        found = {note_id: found[note_id] for note_id in known} | latest
        missing = expected - len(found)  # another reader had them
        if missing <= 0 or time.monotonic() > deadline:
            return Notes(_decoded(found, about), max(0, missing))
        _pause()


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
    connection: ReadingConnection, names: list[str]
) -> tuple[int, dict[int, bytes]]:
    """Return how many notes there were, and those that could be reserved."""
    counts = [tube for tube in connection.tube_stats(names) if tube]
    ready = sum(tube.ready for tube in counts)
    total = ready + sum(tube.reserved for tube in counts)
    if not ready:
        return total, {}
    connection.watch_only(names)
    return total, dict(connection.read_many(ready))


def _existing(connection: OperatorConnection, ids: Iterable[int]) -> list[int]:
    ids = list(ids)
    return [i for i, job in zip(ids, connection.jobs(ids), strict=True) if job]


def _decoded(bodies: Mapping[int, bytes], about: int | None) -> list[Noted]:
    """Return the notes in these bodies, of one job or of all, the oldest first."""
    digits = b"" if about is None else b"%d" % about  # the others need no decoding
    notes = (
        (note_id, decode_note(body))
        for note_id, body in bodies.items()
        if digits in body
    )
    noted = [
        Noted(note_id, note)
        for note_id, note in notes
        if note is not None and about in {None, note.job_id}
    ]
    return sorted(noted, key=lambda noted: (noted.note.when, noted.id))
