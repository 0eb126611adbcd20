"""Slots that share an event loop, and take a thread only for steps that may block."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from jobqueue.broker.address import Address
from jobqueue.broker.loop_consuming import LoopConsumerConnection
from jobqueue.worker.running import loop_call  # noqa: F401 - later no file may be free
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Executor
from jobqueue.worker.slots.loop_waits import LoopWait, LoopWaits
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.slots.slot import Slot
from jobqueue.worker.slots.slot_thread import THREAD_NAME, SlotEnded, stack_of_thread
from jobqueue.worker.threads import NO_THREAD

_THREAD_PAUSE = 1.0  # seconds, before another attempt to start one
_BLOCKED_AFTER = 0.2  # seconds
_AT_ONCE = 4  # slots that go on before all else on the loop gets a turn


class SharedLoop:
    """The event loop that slots share, and what they share about it.

    Raises RunLater if the loop can't be started now.
    """

    def __init__(
        self, address: Address, executor: Executor, event_loop: EventLoop
    ) -> None:
        self.loop = event_loop.start()
        self._event_loop = event_loop
        self._address = address
        self._executor = executor
        self._slots: list[LoopSlot] = []
        self._has_turned = True  # since it was asked to
        self._asked_at = 0.0  # time.monotonic()
        # For another turn, since which time.monotonic().
        self._waiting: deque[tuple[float, LoopSlot]] = deque()
        self._going_on = 0  # slots, since others had a turn of the loop

    def start(self, slot: Slot, on_end: Callable[[SlotEnded], object]) -> "LoopSlot":
        """Start a slot. Raises one of ``NO_THREAD`` if there are no more threads."""
        loop_slot = LoopSlot(slot, self, on_end)
        self._slots.append(loop_slot)
        self._event_loop.call_when_lost(loop_slot.loop_lost)
        return loop_slot

    def connect(self, timeout: int, stopping: threading.Event) -> LoopWaits:
        """Connect to the broker, for :meth:`Slot.steps`. Raises a BrokerError."""
        connection = LoopConsumerConnection(self._address, self.loop)
        return LoopWaits(connection, self._executor, timeout, stopping)

    def look(self) -> None:
        """See whether slots wait for the loop in vain; then threads go on with them.

        Else a job that the broker has sent to such a slot would not be touched, and be
        given to another worker at the end of its ttr. Either a job blocks the loop, or
        each of its turns takes so long that others come too late. To be called from
        another thread, a few times a second while jobs run.
        """
        now = time.monotonic()
        with suppress(IndexError):  # the loop takes slots from there, too
            while now - self._waiting[0][0] > _BLOCKED_AFTER:
                self._waiting.popleft()[1].go_on_in_thread()
        if self._has_turned:
            self._has_turned, self._asked_at = False, now
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self._turn)
        elif now - self._asked_at > _BLOCKED_AFTER:
            for slot in self._slots:
                slot.take_over()

    def is_idle(self) -> bool:
        """Return whether nothing but slots uses the loop. For any thread.

        Jobs may have left tasks on it, which can block it when no job runs.
        """
        try:
            return not asyncio.all_tasks(self.loop)
        except RuntimeError:  # it has more to do than can be counted
            return False

    def _turn(self) -> None:
        self._has_turned = True

    def in_turn(self, slot: "LoopSlot") -> None:
        """Have a slot go on now, or after a turn of the loop. Called on the loop.

        Jobs that begin in the same turn, and take equally long, end together: then each
        would wait for all the others, again and again. So after a few slots, what they
        have begun gets a turn.
        """
        if self._going_on == _AT_ONCE:
            self._waiting.append((time.monotonic(), slot))
            return
        self._going_on += 1
        if self._going_on == _AT_ONCE:
            self.loop.call_soon(self._begin_turn)
        slot.go_on()

    def _begin_turn(self) -> None:
        self._going_on = 0
        while self._going_on < _AT_ONCE and (slot := self._next()) is not None:
            self.in_turn(slot)

    def _next(self) -> "LoopSlot | None":
        try:
            return self._waiting.popleft()[1]
        except IndexError:
            return None


class LoopSlot:
    """Runs a slot on the event loop, and calls ``on_end`` when the slot has ended.

    A thread takes the steps of the slot that may block, the first of which connects to
    the broker. It ends as soon as the slot waits for something that the loop can wait
    for. If the loop is lost, the slot stays in a thread.

    Raises one of ``NO_THREAD`` if the system starts no more threads.
    """

    def __init__(
        self, slot: Slot, shared: SharedLoop, on_end: Callable[[SlotEnded], object]
    ) -> None:
        self._slot = slot
        self._shared = shared
        self._steps = slot.steps(shared.connect)
        self._on_end = on_end
        self._has_ended = threading.Event()
        self._moving = threading.Lock()
        self._wait: LoopWait | None = None  # on the loop; None: a thread has the slot
        self._start_thread()

    def join(self, seconds: float) -> None:
        """Wait for the slot to end, for at most ``seconds``."""
        self._has_ended.wait(seconds)

    def has(self, reservation: Reservation) -> bool:
        """Return whether the slot works on this reservation."""
        return self._slot.reservation is reservation

    def stack(self, event_loop: EventLoop) -> str:
        """Return the stack of the event loop, or of the thread that has the slot."""
        thread = self._thread if self._wait is None else event_loop.thread
        return stack_of_thread(thread, self._slot)

    def loop_lost(self) -> None:
        """Have a thread go on with the slot for good, as the loop has ended."""
        with self._moving:
            if self._wait is None or self._has_ended.is_set():
                return  # if a thread has it, that will find out
            self._leave_loop(self._wait)
        try:
            self._start_thread()
        except NO_THREAD as error:
            self._end(error)

    def take_over(self) -> None:
        """Have a thread go on with the slot if the loop should, and is blocked."""
        with self._moving:
            wait = self._wait
            has_ended = wait is not None and wait.take_over()
        if has_ended:
            self.go_on_in_thread()

    def go_on_in_thread(self) -> None:
        """Have a thread go on with the slot, whose wait has ended. For any thread."""
        with self._moving:
            wait, self._wait = self._wait, None
        if wait is None:  # another thread has it, as the loop has ended
            return
        try:
            self._start_thread()
        except NO_THREAD as error:
            with self._moving:
                self._wait = wait
                try:
                    self._shared.loop.call_soon_threadsafe(self._shared.in_turn, self)
                except RuntimeError:  # the loop is closed
                    self._end(error)

    def go_on(self) -> None:
        """Take steps until the slot waits, or a thread has to take one. On the loop."""
        self._take_steps(self._waits_on_loop)

    def _start_thread(self) -> None:
        # Not a daemon, as the loop is, whose threads would be: see SlotThread.
        self._thread = threading.Thread(
            target=self._take_in_thread, name=THREAD_NAME, daemon=False
        )
        self._thread.start()

    def _take_in_thread(self) -> None:
        self._take_steps(self._moves_to_loop)

    def _take_steps(self, goes_elsewhere: Callable[[LoopWait | None], bool]) -> None:
        """Take steps until the slot has ended, or goes elsewhere for its next step."""
        try:
            for wait in self._steps:
                if goes_elsewhere(wait):
                    return
        except BaseException as error:  # noqa: BLE001 - the manager raises it
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        self._has_ended.set()
        self._on_end(SlotEnded(error))

    def _moves_to_loop(self, wait: LoopWait | None) -> bool:
        """Have the loop go on with the slot, if it can. Called in a thread."""
        if wait is None:  # MAY_BLOCK
            return False
        with self._moving:
            self._wait = wait
            wait.prepare(self._wait_ended)
            try:
                self._shared.loop.call_soon_threadsafe(self._begin_on_loop, wait)
            except RuntimeError:  # the loop is closed
                self._leave_loop(wait)
                return False
        return True

    def _begin_on_loop(self, wait: LoopWait) -> None:
        if wait.begin():
            self.go_on()

    def _waits_on_loop(self, wait: LoopWait | None) -> bool:
        """Begin a wait; return False if there is nothing to wait for."""
        if wait is None:  # MAY_BLOCK
            self._move_to_thread()
            return True
        self._wait = wait
        wait.prepare(self._wait_ended)
        return not wait.begin()

    def _wait_ended(self) -> None:
        self._shared.in_turn(self)

    def _move_to_thread(self) -> None:
        """Have a thread go on with the slot. Called on the loop."""
        wait, self._wait = self._wait, None
        try:
            self._start_thread()
        except NO_THREAD:
            self._wait = wait
            self._shared.loop.call_later(_THREAD_PAUSE, self._move_to_thread)

    def _leave_loop(self, wait: LoopWait) -> None:
        self._wait = None
        wait.loop_lost()
        self._slot.leave_loop()
