"""Filters: which jobs are meant."""

from datetime import datetime
from typing import NamedTuple

from jobqueue.broker.stats import JobState
from jobqueue.errors import OptionError
from jobqueue.job.note import FailureNote
from jobqueue.operating.record import JobRecord


class Filters(NamedTuple):
    """What a job has to be to pass; None stands for anything.

    ``containing`` is a text that the body has, as it is or as JSON escapes it.
    ``error`` and ``since`` are about the last failure of the job, as its note says it:
    the name of its class, with the module or without, and the time from which on it
    counts.
    """

    func_name: str | None = None
    containing: str | None = None
    error: str | None = None
    since: datetime | None = None

    @property
    def need_bodies(self) -> bool:
        """Whether the body of a job has to be looked at."""
        return self.func_name is not None or self.containing is not None

    @property
    def need_notes(self) -> bool:
        """Whether the note of a job's last failure has to be looked at."""
        return self.error is not None or self.since is not None

    def passes(self, job: JobRecord) -> bool:
        """Return whether the body of a job passes."""
        if self.func_name is not None and self.func_name != job.func_name:
            return False
        return self.containing is None or _contains(job, self.containing)

    def passes_note(self, note: FailureNote) -> bool:
        """Return whether a failure passes."""
        if self.since is not None and note.when < self.since:
            return False
        return self.error is None or _is_named(note.error, self.error)

    def passes_failure(self, note: FailureNote) -> bool:
        """Return whether a failure passes, also by the name of its function."""
        if self.func_name is not None and self.func_name != note.func_name:
            return False
        is_contained = self.containing is None or any(
            self.containing in text for text in (note.error_text, note.traceback)
        )
        return is_contained and self.passes_note(note)


def check_filters(
    func_name: str | None,
    containing: str | None,
    error: str | None,
    since: datetime | None,
) -> Filters:
    """Return filters. Raises :class:`~jobqueue.errors.OptionError`."""
    if since is not None and since.tzinfo is None:
        raise OptionError(f"since has to be a datetime with a timezone, not {since!r}")
    return Filters(func_name, containing, error, since)


def _is_named(name: str, wanted: str) -> bool:
    """Return whether a class has a name, each of which may begin with its module."""
    longer, shorter = sorted((f".{name}", f".{wanted}"), key=len, reverse=True)
    return longer.endswith(shorter)


def _contains(job: JobRecord, text: str) -> bool:
    if text in job.body.decode(errors="backslashreplace"):
        return True
    return any(_has(value, text) for value in (job.func_name, job.kwargs))


def _has(value: object, text: str) -> bool:
    """Return whether a string within a value of JSON has a text."""
    match value:
        case str():
            return text in value
        case dict():
            return any(_has(part, text) for item in value.items() for part in item)
        case list():
            return any(_has(item, text) for item in value)
        case _:
            return False


def check_states(states: tuple[str, ...]) -> list[JobState]:
    """Return the states of these names, each once; all states if there are none.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    try:
        return list(dict.fromkeys(map(JobState, states))) or list(JobState)
    except ValueError as error:
        names = ", ".join(JobState)
        raise OptionError(f"{error}: a state is one of {names}") from None
