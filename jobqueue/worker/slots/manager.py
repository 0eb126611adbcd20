"""The slots of one process: started, watched over, and stopped together."""

import enum
import functools
import itertools
import math
import sys
import threading
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.errors import BrokerError, JobQueueError, JobStuckError
from jobqueue.task.registry import subscriber
from jobqueue.worker.exits import call_with_timeout, exit_now
from jobqueue.worker.processes.event_queue import EventQueue
from jobqueue.worker.processes.signals import handling_signals
from jobqueue.worker.processes.status_board import ProcessState, StatusBoard
from jobqueue.worker.reporting import job_log
from jobqueue.worker.reporting.counters import JobCounters, Memory
from jobqueue.worker.reporting.reporter import NOBODY, Observer
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Executor, ReservedBody
from jobqueue.worker.running.time_limit import TimeLimits
from jobqueue.worker.settings import Settings
from jobqueue.worker.slots.admission import GuardState
from jobqueue.worker.slots.heartbeat import Heartbeat
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.slots.slot import Outage, Slot

PATIENCE = 0.1  # seconds, for jobs that are on their way when a slot is stopped
THREAD_NAME = "jobqueue-slot"
LAST_STEPS = 0.2  # seconds, for a thread that has no job any more


class Command(enum.Enum):
    """What comes to a crew from outside."""

    SIGNAL = enum.auto()
    DRAIN = enum.auto()
    STOP = enum.auto()


@dataclass(frozen=True, slots=True)
class _Stuck:
    """A job has not stopped at its time limit, or another keeps it from that."""

    job: ReservedBody
    is_held_up: bool


@dataclass(frozen=True, slots=True)
class _SlotEnded:
    """A slot's thread is about to end: as it should, or by an error."""

    error: BaseException | None


_Event = Command | _Stuck | _SlotEnded


class SlotManager:
    """Runs the slots, and what they share: heartbeat, time limits, event loop.

    A slot is a thread. The thread that calls :meth:`run` takes no jobs, so that it can
    see to signals and to whatever goes wrong, at any time.
    """

    def __init__(self, settings: Settings) -> None:
        self.board = StatusBoard(settings.threads)
        self._observer: Observer = NOBODY
        self._settings = settings
        self._job_numbers = itertools.count(1)
        self._event_loop = EventLoop()
        self._events: EventQueue[_Event] = EventQueue()
        self._slots: list[Slot] = []
        self._threads: list[threading.Thread] = []  # of the slots, in their order
        self._slots_at_work = 0  # as far as events have told
        self._stuck: list[Reservation] = []
        self._is_spent = False  # it has run max_jobs
        self._is_draining = False
        self._drained_at = math.inf  # time.monotonic()
        self._said_to_run: set[int] = set()  # ids, when it was said that it stops
        self._is_told = False  # to stop
        self._has_signal = False
        self._deadline = math.inf  # time.monotonic(), when running jobs are abandoned
        self._failure: BaseException | None = None

    def count_in(self, memory: Memory) -> None:
        """Have what is done counted in this memory. To be called before :meth:`run`."""
        tasks = subscriber.tasks(self._settings.tubes)
        self._observer = JobCounters(memory, self._settings.address, tasks)

    def stop(self) -> None:
        """Reserve no more jobs from now on. Can be called from any other thread."""
        for slot in self._slots:
            slot.stop()
        self.tell(Command.STOP)

    @property
    def is_to_be_replaced(self) -> bool:
        """Whether another process should go on: if this one only has to end itself."""
        return not self._is_told and (self._is_spent or bool(self._stuck))

    def tell(self, what: Command) -> None:
        """Tell the crew something. Can be called from anywhere, signals included."""
        self._events.put(what)

    def run(self) -> None:
        """Work until told to stop; see :meth:`Worker.run <jobqueue.Worker.run>`."""
        if self._slots:
            raise JobQueueError("a worker runs once: make another")
        event_loop = self._event_loop
        limits: TimeLimits[ReservedBody] = TimeLimits(
            lambda job, guard: self._events.put(_Stuck(job, guard.is_held_up()))
        )
        find = subscriber.find_in(self._settings.tubes)
        heartbeat = Heartbeat(self._reservations, self._observer)
        executor = Executor(find, limits, event_loop, self._settings.time_limit)
        tasks = subscriber.tasks(self._settings.tubes)
        if self._settings.time_limit or any(task.time_limit for task in tasks):
            limits.prepare()
        with ExitStack() as cleaning_up:
            cleaning_up.callback(self._close, event_loop)
            cleaning_up.callback(limits.close)
            cleaning_up.enter_context(self._events)
            cleaning_up.enter_context(
                handling_signals(
                    lambda: self.tell(Command.SIGNAL), self._events.wakeup_fd
                )
            )
            heartbeat.start()
            cleaning_up.callback(heartbeat.close)
            self._slots = self._make_slots(executor, heartbeat)
            self.board.state = ProcessState.WORKING
            self._start_all()
            self._attend()
            is_done = not (self._is_draining or self._is_spent)
            self.board.state = ProcessState.DONE if is_done else ProcessState.LEAVING
            self._join()
        self._note_last_signal()
        if self._failure is not None:
            raise self._failure

    def _close(self, event_loop: EventLoop) -> None:
        if not self._stuck:  # it may be what is stuck
            event_loop.close()

    def _make_slots(self, executor: Executor, heartbeat: Heartbeat) -> list[Slot]:
        settings = self._settings
        outage = Outage(settings.address, self._observer)
        wariness = GuardState()
        return [
            Slot(
                functools.partial(ConsumerConnection, settings.address),
                settings.tubes,
                executor,
                outage,
                wariness,
                cell=cell,
                on_job_begin=heartbeat.job_begins,
                on_job_end=self._job_has_run,
                observer=self._observer,
                burst=settings.burst,
            )
            for cell in self.board.cells
        ]

    def _start_all(self) -> None:
        """Start the slots; if the system has not enough threads, stop them again."""
        try:
            for slot in self._slots:
                self._threads.append(self._start(slot))
                self._slots_at_work += 1
        except RuntimeError as error:
            self._failure = JobQueueError(
                f"only {self._slots_at_work} of {len(self._slots)} threads could be "
                f"started ({error}): start fewer, or raise the system's limit"
            )
            self._drain()

    def _note_last_signal(self) -> None:
        """Don't miss a signal that came when all was done: nobody may go on then."""
        while not self._events.is_empty():
            if self._events.get() in (Command.SIGNAL, Command.DRAIN):
                self._is_told = True

    def _start(self, slot: Slot) -> threading.Thread:
        def run() -> None:
            try:
                slot.run()
            except BaseException as error:  # noqa: BLE001 - raised where run() was called
                self._events.put(_SlotEnded(error))
            else:
                self._events.put(_SlotEnded(None))

        # No daemon: the threads that a task starts would be daemons, too.
        thread = threading.Thread(target=run, name=THREAD_NAME)
        thread.start()
        return thread

    def _attend(self) -> None:
        """Deal with what comes, until all slots have ended or hold no job."""
        while self._goes_on():
            longest = PATIENCE if self._is_draining else math.inf
            event = self._events.get(min(self._deadline - time.monotonic(), longest))
            if self._is_draining and not self._said_to_run.issuperset(self._running()):
                self._say_that_it_stops()  # again: a job has come that was on its way
            if event is not None:
                self._deal_with(event)
            elif time.monotonic() >= self._deadline:
                self._abandon()
                return

    def _goes_on(self) -> bool:
        if not self._slots_at_work:
            return False
        if not self._is_draining:
            return True
        if time.monotonic() < self._drained_at + PATIENCE:
            return True
        are_cut = {slot.cut() for slot in self._slots} == {True}
        return not are_cut or bool(self._running())

    def _deal_with(self, event: _Event) -> None:
        match event:
            case Command.STOP:
                self._drain()
            case Command.DRAIN:
                self._is_told = True
                self._drain_within_deadline()
            case Command.SIGNAL:
                if self._has_signal:
                    self._deadline = 0  # a second one does not wait
                self._is_told = self._has_signal = True
                self._drain_within_deadline()
            case _Stuck(job, is_held_up):
                for reservation in self._reservations():
                    if reservation is job:  # ids may begin again, after a lost broker
                        self._give_up(reservation, is_held_up=is_held_up)
            case _SlotEnded(error):
                self._slots_at_work -= 1
                if error is not None:
                    call_with_timeout(job_log.slot_failed, error)
                    self._failure = error
                    self._drain()

    def _job_has_run(self) -> None:
        """Count a job. Called by its slot, before the broker is told of the outcome."""
        jobs = next(self._job_numbers)
        if jobs == self._settings.max_jobs:
            self._is_spent = True
            job_log.jobs_are_enough(jobs)
            self.stop()  # now, so that no slot reserves a job to no purpose

    def _give_up(self, stuck: Reservation, *, is_held_up: bool) -> None:
        """Bury a job that does not stop at its time limit, and leave its thread.

        One that another job holds up is not buried: it is ready again with the end of
        the process.
        """
        try:
            is_buried = not is_held_up and stuck.bury()
        except BrokerError:
            is_buried = False
        if is_buried:
            self._observer.buried_while_it_runs(stuck.task)
        if stuck not in self._reservations():  # it has stopped at last
            return
        self._stuck.append(stuck)
        where = self._where_is(stuck)
        if is_held_up:
            call_with_timeout(job_log.held_up, stuck, where)
        else:
            call_with_timeout(job_log.stuck, stuck, where, is_buried=is_buried)
        self._failure = JobStuckError(
            f"job {stuck.id} does not stop: only the end of its process ends it"
        )
        self._drain_within_deadline()

    def _drain_within_deadline(self) -> None:
        deadline = time.monotonic() + self._settings.shutdown_timeout
        self._deadline = min(self._deadline, deadline)
        self._drain()

    def _drain(self) -> None:
        """Have no slot take another job."""
        if self._is_draining:
            return
        self._is_draining = True
        self._drained_at = time.monotonic()
        self.board.state = ProcessState.LEAVING
        for slot in self._slots:
            slot.stop()
        self._say_that_it_stops()

    def _say_that_it_stops(self) -> None:
        running = self._running()
        self._said_to_run.update(running)
        call_with_timeout(job_log.stopping, running)

    def _abandon(self) -> None:
        """Wait for the running jobs no longer."""
        call_with_timeout(job_log.abandoned, self._running())
        if self._failure is None:
            exit_now()

    def _reservations(self) -> list[Reservation]:
        held = [slot.reservation for slot in self._slots]
        return [reservation for reservation in held if reservation is not None]

    def _running(self) -> list[int]:
        """Return the jobs that are waited for."""
        return [r.id for r in self._reservations() if r not in self._stuck]

    def _join(self) -> None:
        """Let the slots that have no job take their last steps."""
        deadline = time.monotonic() + LAST_STEPS
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _where_is(self, reservation: Reservation) -> str:
        """Return the stack of the slot that runs a job."""
        frames = sys._current_frames()  # noqa: SLF001 - it is documented
        for slot, thread in zip(self._slots, self._threads, strict=False):
            frame = frames.get(thread.ident or 0)
            if slot.reservation is reservation and frame is not None:
                # What it awaits can't be seen, but what holds up the loop can.
                frame = frames.get(self._event_loop.thread_that_runs(frame) or 0, frame)
                return "".join(traceback.format_stack(frame)).rstrip()
        return "  (it has ended)"
