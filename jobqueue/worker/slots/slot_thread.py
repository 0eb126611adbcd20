"""The thread that a slot runs in."""

import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.slots.slot import Slot

THREAD_NAME = "jobqueue-slot"
_HAS_ENDED = "  (it has ended)"


class SlotEnded(NamedTuple):
    """A slot's thread is about to end; ``error`` is None if it ends as it should."""

    error: BaseException | None


class RunningSlot(Protocol):
    """A slot that runs, in a thread or on the event loop."""

    def join(self, seconds: float) -> None:
        """Wait for the slot to end, for at most ``seconds``."""
        ...

    def has(self, reservation: Reservation) -> bool:
        """Return whether the slot works on this reservation."""
        ...

    def stack(self, event_loop: EventLoop) -> str:
        """Return the running job's stack, or that of the event loop it waits for."""
        ...


class SlotThread:
    """Runs a slot, and calls ``on_end`` when the slot has ended.

    Raises one of ``NO_THREAD`` if the system starts no more threads.
    """

    def __init__(self, slot: Slot, on_end: Callable[[SlotEnded], object]) -> None:
        self._slot = slot
        self._on_end = on_end
        # Not a daemon, as the threads that a task starts would be daemons, too.
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, for at most ``seconds``."""
        self._thread.join(seconds)

    def has(self, reservation: Reservation) -> bool:
        """Return whether the slot works on this reservation."""
        return self._slot.reservation is reservation

    def stack(self, event_loop: EventLoop) -> str:
        """Return the running job's stack, or that of the event loop it waits for."""
        return stack_of_thread(self._thread, self._slot, event_loop)

    def _run(self) -> None:
        try:
            self._slot.run()
        except BaseException as error:  # noqa: BLE001 - the manager raises it
            self._on_end(SlotEnded(error))
        else:
            self._on_end(SlotEnded(None))


def stack_of_thread(
    thread: threading.Thread | None, slot: Slot, event_loop: EventLoop | None = None
) -> str:
    """Return the stack of a slot's job, or that of the event loop it waits for."""
    frames = sys._current_frames()  # noqa: SLF001 - it is documented
    frame = frames.get(thread.ident or 0) if thread is not None else None
    if frame is None or slot.reservation is None:
        return _HAS_ENDED
    # The stack of a waiting coroutine can't be seen, but what blocks the loop can.
    if event_loop is not None:
        frame = frames.get(event_loop.thread_that_runs(frame) or 0, frame)
    return "".join(traceback.format_stack(frame)).rstrip()


def stack_of(
    reservation: Reservation,
    slots: Iterable[RunningSlot],
    event_loop: EventLoop,
) -> str:
    """Return the stack of a job, which one of these threads runs."""
    for slot in slots:
        if slot.has(reservation):
            return slot.stack(event_loop)
    return _HAS_ENDED
