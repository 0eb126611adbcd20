"""The note of a failure, put as a worker puts it."""

from datetime import UTC, datetime, timedelta

from jobqueue.job.note import FailureNote, NoteKind
from jobqueue.job.note_tubes import failures_tube, retries_tube
from tests.helpers.servers import Beanstalkd


def put_note(
    broker: Beanstalkd,
    job_id: int,
    *,
    tube: str = "t",
    func_name: str | None = "send",
    error: str = "ValueError",
    text: str = "no such address",
    traceback: str = "Traceback (most recent call last):\n  ...\n",
    kind: str = "buried",
    ago: float = 0,
    body: bytes | None = None,
    kicks: int = 0,
    last_kick: bool | None = None,
) -> int:
    """Put the note of a failure some seconds ago, and return the note's own id."""
    note = FailureNote(
        kind=NoteKind(kind),
        job_id=job_id,
        tube=tube,
        func_name=func_name,
        error=error,
        error_text=text,
        traceback=traceback,
        attempt=1,
        kicks=kicks,
        when=datetime.now(UTC) - timedelta(seconds=ago),
        host="host",
        pid=1,
        body=body,
        last_kick=last_kick,
    )
    notes = retries_tube(tube) if note.kind is NoteKind.RETRIED else failures_tube(tube)
    return broker.put(note.encode(), notes, note.priority)
