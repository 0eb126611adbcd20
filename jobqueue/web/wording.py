"""What pages say about jobs, in words."""

import json
import shlex
from collections.abc import Sequence

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.job.note import FailureNote, NoteKind
from jobqueue.operating.formatting import duration, name_of, number_of
from jobqueue.operating.last_kicks import is_last_kick
from jobqueue.operating.record import JobRecord
from jobqueue.safe_text import one_line, to_json

MAX_CALL = 200  # characters
_TIMES = {1: "once", 2: "twice"}


def times(count: int) -> str:
    """Return how often.

    >>> times(2)
    'twice'
    """
    return _TIMES.get(count, f"{count:,} times")


def history_of(job: JobStats) -> str:
    """Return what has happened to a job.

    >>> history_of(job)
    'Tried 3 times, lost once, kicked twice'
    """
    # Whether the latest of its reservations has ended, and not by a burial.
    has_ended = job.state in {JobState.READY, JobState.DELAYED}
    lost = max(0, job.lost + has_ended)
    parts = [
        f"tried {times(job.reserves)}" if job.reserves else "not tried yet",
        f"given back {times(job.releases)}" if job.releases else "",
        f"lost {times(lost)}" if job.reserves and lost else "",
        f"timed out {times(job.timeouts)}" if job.timeouts else "",
        f"buried {times(job.buries)}" if job.buries else "",
        f"kicked {times(job.kicks)}" if job.kicks else "",
    ]
    text = ", ".join(filter(None, parts))
    return text[0].upper() + text[1:]


def state_of(job: JobStats) -> str:
    """Return a job's state, and how long it lasts."""
    if job.overdue:
        return (
            f"reserved, and past its ttr by {duration(job.overdue)}: its worker is "
            "frozen or cut off, and beanstalkd waits for the end of its connection"
        )
    left = duration(max(0, job.time_left))
    match job.state:
        case JobState.DELAYED:
            return f"delayed: ready in {left}"
        case JobState.RESERVED:
            return f"reserved: a worker runs it, with {left} of its ttr left"
        case JobState.BURIED:
            return "buried: it failed, and stays until it is kicked or deleted"
        case _:
            return "ready: it waits for a worker"


def after_a_kick(job: JobStats, note: FailureNote) -> str:
    """Return what a kick may lead to: that the job is deleted; empty if it is not."""
    is_last = is_last_kick(job, note)
    if job.state is not JobState.BURIED or is_last is False:
        return ""
    unless = "" if is_last else ", unless its task has another max_kicks"
    return f"If it fails again after its next kick, it is deleted{unless}."


def outcome_of(note: FailureNote) -> str:
    """Return what became of a job that failed."""
    return {
        NoteKind.BURIED: "buried",
        NoteKind.DELETED: "deleted: it had been kicked too often",
        NoteKind.RETRIED: "given back, to be tried again",
    }[note.kind] + f", after attempt {note.attempt}"


def call_of(job: JobRecord, *, hide_arguments: bool) -> str:
    """Return a job's call, as Python would write it, at most some characters of it."""
    message = job.message
    if message is None:
        if hide_arguments:
            return f"{number_of(len(job.body), 'byte')}, not in jobqueue's format"
        return _cut(one_line(job.body[: 4 * MAX_CALL].decode(errors="replace")))
    name = name_of(message.func_name)
    if hide_arguments:
        arguments = ", ".join(f"{name_of(key)}=…" for key in message.kwargs)
    else:
        arguments = ", ".join(_arguments(message.kwargs))
    return _cut(f"{_cut(name)}({arguments})")


def _arguments(kwargs: dict[str, object]) -> Sequence[str]:
    """Return the arguments, or as many as are shown."""
    shown: list[str] = []
    size = 0
    for name, value in kwargs.items():
        shown.append(f"{name_of(name)}={to_json(value)}")
        size += len(shown[-1])
        if size > MAX_CALL:
            break
    return shown


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CALL else f"{text[: MAX_CALL - 1]}…"


def put_command(job: JobRecord) -> str | None:
    """Return the command that puts a job like this one; None if none can."""
    message = job.message
    if message is None or not message.func_name.isidentifier():
        return None
    if not all(name.isidentifier() for name in message.kwargs):
        return None
    words = ["jobqueue", "put", job.tube, message.func_name]
    words += [f"{name}={_value(value)}" for name, value in message.kwargs.items()]
    return " ".join(shlex.quote(word) for word in words)


def _value(value: object) -> str:
    """Return a value as ``jobqueue put`` reads it: a string stands for itself."""
    if isinstance(value, str) and value.isprintable():
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            return value
    return to_json(value)
