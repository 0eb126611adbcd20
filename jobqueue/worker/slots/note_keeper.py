"""The number of failure notes, kept within a bound by a thread of its own."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobqueue.broker.address import Address
from jobqueue.broker.settlement import SidePut
from jobqueue.errors import JobQueueError
from jobqueue.worker.settings import Timings
from jobqueue.worker.threads import start_thread

if TYPE_CHECKING:
    from jobqueue.broker.trimming import TrimmingConnection

_WORKERS = 10  # that may fill a tube as fast as this one, before any of them looks
_LEAST_SLACK = 20  # notes

Errand = Callable[["TrimmingConnection"], object]


@dataclass(slots=True)
class _Count:
    """What a process knows of the number of notes in a tube."""

    puts: int = 0  # by this process since its last look
    left: int | None = None  # after the last look; None: there was none yet

    def is_due(self, kept: int) -> bool:
        """Return whether the tube may hold more than ``kept`` notes by now."""
        return self.left is None or self.left + self.puts * _WORKERS > kept


class NoteKeeper:
    """Deletes the oldest notes of each tube, all but ``kept``.

    A thread does so on a connection of its own, so that no job waits for it. The thread
    is there only while jobs fail (but see :meth:`prepare`), and rests between its looks
    at the broker; during a storm of failures, there are some more notes for a moment.
    Several workers may keep the notes of one tube. ``report`` is called with the error
    of what fails.
    """

    def __init__(
        self,
        address: Address,
        kept: int,
        report: Callable[[Exception], object],
        timings: Timings,
    ) -> None:
        self._address = address
        self._kept = kept
        self._slack = max(_LEAST_SLACK, kept // 10)
        self._report = report
        self._rest = timings.notes_rest
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}
        self._due: set[str] = set()  # tubes to look at
        self._errands: list[Errand] = []
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._stays = sys.version_info < (3, 12)  # also when there is nothing to do
        self._is_idle = False
        self._is_closed = False

    def prepare(self) -> None:
        """Start the thread if no slot should be the one that starts it.

        In Python 3.11 no error can be raised any more, from outside, in a thread that
        has failed to start another: time limits would be off in the slot.
        """
        with self._lock:
            if self._stays:
                self._start()

    def note_put(self, tube: str) -> None:
        """Take note that this process has put a note into a tube."""
        with self._lock:
            count = self._counts.setdefault(tube, _Count())
            count.puts += 1
            if count.is_due(self._kept):
                self._due.add(tube)
                self._start()
                if count.puts >= self._slack:
                    self._wake.set()

    def put(self, note: SidePut) -> None:
        """Put a note, soon."""
        self._run_errand(lambda connection: connection.put_beside(note))
        self.note_put(note.tube)

    def delete(self, note_id: int, body: bytes) -> None:
        """Delete a note, soon."""
        self._run_errand(lambda connection: connection.delete_same(note_id, body))

    def close(self) -> None:
        """Do what is due, and end the thread; wait for a second at most."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join(1)

    def _run_errand(self, errand: Errand) -> None:
        with self._lock:
            self._errands.append(errand)
            self._start()
            self._wake.set()

    def _start(self) -> None:
        if self._thread is None:
            try:
                self._thread = start_thread(self._run, name="jobqueue-failure-notes")
            except JobQueueError as error:
                self._errands.clear()
                self._report(error)
        elif self._is_idle:
            self._wake.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                due, self._due = self._due, set()
                errands, self._errands = self._errands, []
                self._wake.clear()
                self._is_idle = not (due or errands)
                is_closed = self._is_closed
                if self._is_idle and (is_closed or not self._stays):
                    self._thread = None
                    return
            for errand in errands:
                self._do(errand)
            for tube in due:
                self._look_at(tube)
            if not is_closed:
                self._wake.wait(None if self._is_idle else self._rest)

    def _look_at(self, tube: str) -> None:
        count = self._counts[tube]
        with self._lock:
            count.puts = 0
        left: list[int] = []
        self._do(lambda connection: left.append(connection.trim(tube, self._kept)))
        count.left = left[0] if left else None
        if count.left is not None and count.left > self._kept:
            with self._lock:
                self._due.add(tube)  # another worker was at it: look again

    def _do(self, errand: Errand) -> None:
        # Imported lazily: most workers have no failure for a long time.
        from jobqueue.broker.trimming import TrimmingConnection  # noqa: PLC0415

        try:
            with TrimmingConnection(self._address) as connection:
                errand(connection)
        except Exception as error:  # noqa: BLE001 - notes are no reason to fail
            self._report(error)
