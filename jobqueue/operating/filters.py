"""Filters: which jobs are meant."""

from typing import NamedTuple

from jobqueue.broker.stats import JobState
from jobqueue.errors import OptionError
from jobqueue.operating.record import JobRecord


class Filters(NamedTuple):
    """What a job has to be to pass; None stands for anything.

    ``containing`` is a text that the body has, as it is or as JSON escapes it.
    """

    func_name: str | None = None
    containing: str | None = None

    @property
    def need_bodies(self) -> bool:
        """Whether the body of a job has to be looked at."""
        return self.func_name is not None or self.containing is not None

    def passes(self, job: JobRecord) -> bool:
        """Return whether a job passes."""
        if self.func_name is not None and self.func_name != job.func_name:
            return False
        return self.containing is None or _contains(job, self.containing)


def _contains(job: JobRecord, text: str) -> bool:
    if text in job.body.decode(errors="backslashreplace"):
        return True
    return job.kwargs is not None and any(
        _has(value, text) for value in (job.func_name, job.kwargs)
    )


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
