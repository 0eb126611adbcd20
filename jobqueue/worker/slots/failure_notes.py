"""Notes of why jobs failed, which a worker puts beside its settlements.

A note is a job in a tube that no worker watches (``job/note.py``). It is put in the
same write that buries, deletes or releases the job, and costs no round trip. Whatever
becomes of the note changes nothing about the job.
"""

import functools
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from jobqueue.broker.address import Address
from jobqueue.broker.settlement import SidePut, SidePutReply
from jobqueue.broker.stats import JobStats
from jobqueue.errors import BadJobError
from jobqueue.job.body import decode
from jobqueue.job.decision import Decision, Ending
from jobqueue.safe_text import error_of
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.executor import ReservedJob
from jobqueue.worker.running.traceback_text import end_of_traceback
from jobqueue.worker.settings import Settings, Timings
from jobqueue.worker.slots.note_keeper import NoteKeeper

if TYPE_CHECKING:
    from jobqueue.job.note import FailureNote

_KINDS = {
    Ending.BURIED: "buried",
    Ending.KICKS_REACH_MAX: "deleted",
    Ending.RELEASED: "retried",
}


class FailureNotes:
    """Makes the notes of the slots of a process, and keeps them few.

    ``kept`` is how many notes there may be of a tube's burials, and as many again of
    its retries. What goes wrong with notes is reported once for each cause.
    """

    def __init__(
        self, address: Address, kept: int, reporter: Reporter, timings: Timings
    ) -> None:
        self._reporter = reporter
        self._reported: set[str] = set()  # causes
        self._keeper = NoteKeeper(address, kept, self._note_failure, timings)

    @classmethod
    def of(cls, settings: Settings, reporter: Reporter) -> Self | None:
        """Return the notes of a worker; None if it keeps none."""
        kept = settings.failures_kept
        if not kept:
            return None
        return cls(settings.address, kept, reporter, settings.timings)

    def __enter__(self) -> Self:
        self._keeper.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        """Delete what there is too much, and end."""
        self._keeper.close()

    def on_decision(self, job: ReservedJob, decision: Decision) -> SidePut | None:
        """Return the note of a failed job; None for one that is put back."""
        error, stats, ending = decision.error, decision.stats, decision.ending
        kind = None if ending is None else _KINDS.get(ending)
        if error is None or stats is None or kind is None:
            return None
        # A job whose function was not called has no traceback.
        traceback = "" if _is_refusal(error) else end_of_traceback(error)
        return self._note(job, error, stats, kind, traceback)

    def on_burial(
        self, job: ReservedJob, error: BaseException, stats: JobStats, stack: str = ""
    ) -> SidePut | None:
        """Return the note of a job that is buried while it runs."""
        return self._note(job, error, stats, "buried", stack)

    def answered(self, note: SidePut, reply: SidePutReply) -> None:
        """Take note of the broker's replies to a settlement and the note beside it."""
        if reply.put_id is None:
            if reply.refusal:
                self._refused(note, reply)
        elif not reply.is_settled:  # so nothing of what the note says has happened
            self._keeper.delete(reply.put_id, note.body)
        else:
            self._keeper.note_put(note.tube)

    def on_end(
        self,
        job: ReservedJob,
        error: BaseException | None,
        stats: JobStats,
        note: SidePut,
        note_id: int | None,
    ) -> None:
        """Replace the note of a job that was buried, and has ended: with an error.

        Without an error the job is deleted, and so is the note. None is waited for.
        """
        if note_id is not None:
            self._keeper.delete(note_id, note.body)
        if error is not None:
            traceback = end_of_traceback(error)
            new = self._note(job, error, stats, "buried", traceback)
            if new is not None:
                self._keeper.put(new)

    def _note(
        self,
        job: ReservedJob,
        error: BaseException,
        stats: JobStats,
        kind: str,
        traceback: str,
    ) -> SidePut | None:
        try:
            return _put_of(_note_of(job, error, stats, kind, traceback))
        except Exception as broken:  # noqa: BLE001 - no note may end a slot
            self._note_failure(broken)
            return None

    def _refused(self, note: SidePut, reply: SidePutReply) -> None:
        from jobqueue.job.note import decode_note  # noqa: PLC0415 - see _note_of

        whole = decode_note(note.body) if reply.is_too_big else None
        if whole is None or whole.body is None:
            self._report(reply.refusal, reply.refusal)
        else:
            self._keeper.put(_put_of(whole.without_body()))

    def _note_failure(self, error: Exception) -> None:
        self._report(type(error).__name__, error_of(error))

    def _report(self, cause: str, why: str) -> None:
        if cause not in self._reported:
            self._reported.add(cause)
            self._reporter.notes_fail(why)


def _note_of(
    job: ReservedJob, error: BaseException, stats: JobStats, kind: str, traceback: str
) -> "FailureNote":
    # Imported lazily: most workers have no failure for a long time.
    from jobqueue.job.note import FailureNote, NoteKind  # noqa: PLC0415

    return FailureNote(
        kind=NoteKind(kind),
        job_id=job.id,
        tube=stats.tube,
        func_name=job.task.func_name if job.task else _name_in(job.body),
        error=type(error).__name__,
        error_text=_text_of(error),
        traceback=traceback,
        attempt=stats.reserves,
        kicks=stats.kicks,
        when=datetime.now(UTC),
        host=_host(),
        pid=os.getpid(),
        body=job.body if kind == "deleted" else None,
        last_kick=_is_last_kick(job, stats) if kind == "buried" else None,
    )


def _is_last_kick(job: ReservedJob, stats: JobStats) -> bool | None:
    """Return whether a job's next kick is its last; None if its task is unknown."""
    if job.task is None:
        return None
    max_kicks = job.task.policy.max_kicks
    return max_kicks is not None and stats.kicks + 1 >= max_kicks


def _put_of(note: "FailureNote") -> SidePut:
    return SidePut(note.notes_tube, note.priority, note.encode())


def _is_refusal(error: BaseException) -> bool:
    """Return whether a job can't be run: its function was not called."""
    return issubclass(type(error), BadJobError)


def _name_in(body: bytes) -> str | None:
    """Return the function's name in the body of a job that this worker can't run."""
    try:
        return decode(body).func_name
    except BadJobError:
        return None


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - it is the task's own code
        return "(its text can't be shown)"


@functools.cache
def _host() -> str:
    return socket.gethostname()
