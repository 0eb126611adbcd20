"""KnownFailures: the notes of failures, read again only after they have changed.

To read notes is to reserve them all for a moment. So a tube's notes are read when its
counts say that there are others, and not each time that a page is refreshed.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobStats
from jobqueue.job.note import FailureNote, NoteKind
from jobqueue.operating.failures import FailureGroup, grouped, is_buried
from jobqueue.operating.operator import Operator

_PAUSE = 3.0  # seconds between two readings of a tube's notes
_PATIENCE = 3.0  # seconds for all tubes of a page
_MOST_NOTES = 100_000  # that are remembered, of whatever number of tubes
_MOST_SAMPLES = 50  # groups of a tube whose last traceback is remembered


@dataclass(frozen=True, slots=True)
class TubeFailures:
    """The failures of a tube's jobs, the oldest first, without traceback and body."""

    notes: Sequence[FailureNote]
    last_of_groups: "LastFailures"
    jobs: dict[int, JobStats | None]  # present counts of the jobs
    counts: tuple[int, ...]  # of the tube, when they were read
    read_at: float

    def last_of_jobs(self) -> dict[int, FailureNote]:
        """Return the last failure of each job, by the job's id."""
        return {note.job_id: note for note in self.notes}

    def groups(self) -> list[FailureGroup]:
        """Return the groups of these failures."""
        return grouped(self.notes, self.jobs)


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What the failures of a group have in common."""

    tube: str
    func_name: str | None
    error: str

    def has(self, note: FailureNote) -> bool:
        """Return whether a failure is one of the group."""
        key = GroupKey(note.tube, note.func_name, note.error)
        return key == self


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group of failures: its notes, and the jobs that can be acted upon."""

    group: FailureGroup
    notes: Sequence[FailureNote]  # the last of each job, the newest first
    jobs: dict[int, JobStats | None]
    buried: Sequence[int]  # ids of jobs to kick or to delete
    deleted: Sequence[int]  # ids of jobs that can be put again
    without_note: int  # buried jobs of the tube of which nobody knows why
    sample: FailureNote | None  # the last failure, with its traceback
    failures: TubeFailures  # of the whole tube


class LastFailures:
    """The last failure of each of some groups, with its traceback: that takes room."""

    def __init__(self) -> None:
        self._last: dict[GroupKey, FailureNote] = {}

    def see(self, note: FailureNote) -> FailureNote:
        """Return what is kept of a note of whatever group."""
        key = GroupKey(note.tube, note.func_name, note.error)
        last = self._last.get(key)
        is_later = (
            len(self._last) < _MOST_SAMPLES if last is None else last.when <= note.when
        )
        if is_later:
            self._last[key] = note.without_body()
        return note.brief()

    def of(self, key: GroupKey) -> FailureNote | None:
        """Return the last failure of a group; None if it is not among those kept."""
        return self._last.get(key)


class KnownFailures:
    """Reads notes for any number of threads, and remembers them."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._lock = threading.Lock()
        self._tubes: OrderedDict[str, TubeFailures] = OrderedDict()

    def groups(self, tubes: Iterable[TubeStats]) -> tuple[list[FailureGroup], int]:
        """Return the groups of these tubes, and how many tubes could not be read yet.

        A page does not wait for thousands of tubes: the next refresh goes on.
        """
        until = time.monotonic() + _PATIENCE
        found: list[FailureGroup] = []
        left = 0
        for tube in tubes:
            if not (tube.failures or tube.failures_noted):
                continue
            if time.monotonic() > until and tube.tube not in self._tubes:
                left += 1
                continue
            found += self.of(tube).groups()
        found.sort(key=lambda group: (group.buried, group.last), reverse=True)
        return found, left

    def of(self, tube: TubeStats) -> TubeFailures:
        """Return the failures of a tube's jobs."""
        counts = (tube.failures, tube.failures_noted, tube.buried)
        with self._lock:
            known = self._tubes.get(tube.tube)
        if known and (known.counts == counts or _is_new(known)):
            return known
        last = LastFailures()
        noted = self._operator.notes(tube.tube, last.see).noted
        notes = [note for _, note in noted]
        ids = list({note.job_id for note in notes})
        jobs = dict(zip(ids, self._operator.job_stats(*ids), strict=True))
        read = TubeFailures(notes, last, jobs, counts, time.monotonic())
        with self._lock:
            self._tubes[tube.tube] = read
            self._tubes.move_to_end(tube.tube)
            self._forget_some()
        return read

    def _forget_some(self) -> None:
        """Forget the tubes read first, if there are too many notes."""
        count = sum(len(known.notes) for known in self._tubes.values())
        while count > _MOST_NOTES and len(self._tubes) > 1:
            _tube, forgotten = self._tubes.popitem(last=False)
            count -= len(forgotten.notes)

    def group(self, tube: TubeStats, key: GroupKey) -> GroupView | None:
        """Return a group; None if there are no such failures any more."""
        failures = self.of(tube)
        groups = failures.groups()
        group = next((g for g in groups if GroupKey(*g[:3]) == key), None)
        if group is None:
            return None
        last = [note for note in failures.last_of_jobs().values() if key.has(note)]
        last.sort(key=lambda note: note.when, reverse=True)
        jobs = failures.jobs
        return GroupView(
            group=group,
            notes=last,
            jobs=jobs,
            buried=sorted(
                note.job_id for note in last if is_buried(note, jobs.get(note.job_id))
            ),
            deleted=sorted(
                note.job_id
                for note in last
                if note.kind is NoteKind.DELETED and jobs.get(note.job_id) is None
            ),
            without_note=max(0, tube.buried - sum(other.buried for other in groups)),
            sample=failures.last_of_groups.of(key),
            failures=failures,
        )

    def expire(self) -> None:
        """Have all notes read again, as something was changed."""
        with self._lock:
            self._tubes.clear()


def _is_new(known: TubeFailures) -> bool:
    return time.monotonic() - known.read_at < _PAUSE
