"""FailureViewer: looks at why jobs failed, as the notes of their workers say it."""

from datetime import datetime
from typing import Self

from jobqueue.broker.address import Address
from jobqueue.broker.stats import JobStats
from jobqueue.job.note import FailureNote
from jobqueue.job.note_tubes import holds_no_jobs
from jobqueue.operating.apart import check_job_tube
from jobqueue.operating.connections import Connections
from jobqueue.operating.failures import SHOWN_TEXT, FailureGroup, grouped
from jobqueue.operating.filters import Filters, check_filters
from jobqueue.operating.notes import Notes, View, read_notes, read_notes_about


class FailureViewer:
    """Looks at why jobs failed, as the notes of their workers say it."""

    def __init__(self, url: str | None = None) -> None:
        self._connections = Connections(url)

    @property
    def address(self) -> Address:
        """Where the broker is.

        >>> str(operator.address) == url
        True
        """
        return self._connections.address

    def job_stats(self, *ids: int) -> list[JobStats | None]:
        """Return the counts of each of these jobs; None for one that does not exist.

        >>> [stats and stats.state.value for stats in operator.job_stats(1, 2, 99)]
        ['ready', 'buried', None]
        """
        with self._connections.taken() as connection:
            return list(connection.jobs(ids))

    def failures(
        self,
        tube: str | None = None,
        *,
        func_name: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
    ) -> list[FailureNote]:
        """Return the failures of a tube's jobs, or of all jobs, the oldest first.

        These are the notes that workers keep in the broker: of the last 1,000 jobs of
        each tube that were buried, or deleted for their kicks, and of as many retries.
        What they say may come from anybody: escape it where you show it.

        >>> for failure in operator.failures("emails", error="ValueError"):
        ...     print(failure.job_id, failure.error, failure.error_text, failure.kind)
        2 ValueError no such address buried
        """
        filters = check_filters(func_name, None, error, since)
        passes = filters.passes_failure
        notes = self.notes(tube, lambda note: note if passes(note) else None)
        return [note for _, note in notes.noted]

    def failure_groups(
        self,
        tube: str | None = None,
        *,
        func_name: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
    ) -> list[FailureGroup]:
        """Return the failures by tube, function and error, the most frequent first.

        >>> for group in operator.failure_groups():
        ...     print(group.tube, group.func_name, group.error, group.buried)
        emails send ValueError 1
        """
        return self.grouped(tube, check_filters(func_name, None, error, since))[0]

    def grouped(
        self, tube: str | None, filters: Filters
    ) -> tuple[list[FailureGroup], int]:
        """Return the groups of failures, and how many notes could not be read.

        >>> groups, missing = operator.grouped("emails", Filters(error="ValueError"))
        >>> groups[0].failed, missing
        (1, 0)
        """
        passes = filters.passes_failure
        notes = self.notes(
            tube, lambda note: note.brief(SHOWN_TEXT) if passes(note) else None
        )
        failures = [note for _, note in notes.noted]
        ids = list({failure.job_id for failure in failures})
        jobs = dict(zip(ids, self.job_stats(*ids), strict=True))
        return grouped(failures, jobs), notes.missing

    def failure(self, job_id: int) -> FailureNote | None:
        """Return the last failure of a job, which may be deleted; None without a note.

        >>> operator.failure(2).error_text
        'no such address'
        """
        return self.notes_about(job_id).last_of_jobs().get(job_id)

    def notes(self, tube: str | None = None, view: View = FailureNote.brief) -> Notes:
        """Return the notes of the failures in a tube, or in all tubes.

        They have no traceback, unless ``view`` keeps it: see ``read_notes``.

        >>> for note_id, note in operator.notes("emails").noted:
        ...     print(note.job_id, note.error)
        2 ValueError
        """
        tubes = None if tube is None else [check_job_tube(tube)]
        return read_notes(self.address, tubes, view)

    def notes_about(self, job_id: int) -> Notes:
        """Return the notes of the failures of a job, which may be deleted.

        They are whole.

        >>> operator.notes_about(2).noted[-1].note.traceback.splitlines()[0]
        'Traceback (most recent call last):'
        """
        (stats,) = self.job_stats(job_id)
        if stats is None or holds_no_jobs(stats.tube):
            return read_notes_about(self.address, job_id)
        if not (stats.buries or stats.releases):  # it has not failed
            return Notes([])
        return read_notes_about(self.address, job_id, [stats.tube])

    def close(self) -> None:
        """Close the open connections; a later call makes a new one.

        >>> operator.close()
        """
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
