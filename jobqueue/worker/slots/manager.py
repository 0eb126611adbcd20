"""The slots of one process: started, watched over, and stopped together."""

import itertools
import math
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from jobqueue.errors import JobQueueError, JobStuckError
from jobqueue.task.registry import subscriber
from jobqueue.worker.exits import call_with_timeout, exit_now
from jobqueue.worker.processes.event_queue import EventQueue
from jobqueue.worker.processes.signals import (
    QUIET_SIGNAL,
    handling_signals,
    is_impatient,
)
from jobqueue.worker.processes.status_board import ProcessState, StatusBoard
from jobqueue.worker.reporting.job_log import JobLog
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.settings import Settings
from jobqueue.worker.slots import making
from jobqueue.worker.slots.failure_notes import FailureNotes
from jobqueue.worker.slots.reservation import Reservation, release_all
from jobqueue.worker.slots.shutdown import (
    Phase,
    QuietRequest,
    Shutdown,
    StopReason,
    StopRequest,
)
from jobqueue.worker.slots.slot_thread import RunningSlot, SlotEnded, stack_of
from jobqueue.worker.slots.stuck_jobs import StuckJob, StuckJobs
from jobqueue.worker.threads import NO_THREAD, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobqueue.worker.reporting.counters import Memory
    from jobqueue.worker.slots.slot import Slot


_Event = QuietRequest | StopRequest | StuckJob | SlotEnded


class SlotManager:
    """Runs the slots, and what they share: heartbeat, time limits, event loop.

    The thread that calls :meth:`run` takes no jobs, so that it can handle signals,
    stuck jobs and failed slots at any time.
    """

    def __init__(self, settings: Settings) -> None:
        self.status_board = StatusBoard(settings.threads)
        self.on_leaving: Callable[[], object] = lambda: None
        self.reporter = Reporter(JobLog(settings.timings.time_limit_grace))
        self._notes = FailureNotes.of(settings, self.reporter)
        self._settings = settings
        self._timings = settings.timings
        self._job_numbers = itertools.count(1)
        self._event_loop = EventLoop(settings.timings)
        self._events: EventQueue[_Event] = EventQueue()
        self._shutdown = Shutdown(settings.shutdown_timeout)
        self._slots: list[Slot] = []
        self._running_slots: list[RunningSlot] = []  # of the slots, in their order
        self._slots_at_work = 0  # as far as this thread has heard
        self._stuck = StuckJobs(self._reservations, self._stack_of, self.reporter)
        self._reported: set[int] = set()  # ids of running jobs that the log has named
        self._failure: BaseException | None = None

    def count_in(self, memory: "Memory") -> None:
        """Count jobs in some memory. To be called before :meth:`run`."""
        # Imported lazily: a worker without metrics does not need the counters.
        from jobqueue.worker.reporting.counters import JobCounters  # noqa: PLC0415

        tasks = subscriber.tasks(self._settings.tubes)
        self.reporter.add(JobCounters(memory, self._settings.address, tasks))

    def stop(self, reason: StopReason = StopReason.STOP) -> None:
        """Reserve no more jobs from now on. Can be called from any thread."""
        for slot in self._slots:
            slot.stop()
        self.request_stop(reason)

    def request_stop(self, reason: StopReason, text: str = "") -> None:
        """Have the worker stop. Can be called from anywhere, signal handlers too.

        If there is a ``text``, the log says that instead of the reason.
        """
        self._events.put(StopRequest(reason, text, time.monotonic()))

    def quiet(self, reason: str = "quiet() was called") -> None:
        """Reserve no more jobs, but stay until a stop. Can be called from any thread.

        The ``reason`` is for the log. Returns at once.
        """
        for slot in self._slots:
            slot.stop()
        self._events.put(QuietRequest(reason, time.monotonic()))

    def _handle_signal(self, signum: signal.Signals) -> None:
        if signum == QUIET_SIGNAL:
            self.quiet(signum.name)
            return
        reason = StopReason.SIGNAL if is_impatient(signum) else StopReason.HANGUP
        if self.status_board.must_abandon_jobs:
            reason = StopReason.NO_PATIENCE
        for slot in self._slots:
            slot.stop_signal.has_come = True
        self.request_stop(reason, signum.name)

    def run(self) -> None:
        """Run jobs until the stop; see :meth:`Worker.run <jobqueue.Worker.run>`."""
        if self._slots:
            raise JobQueueError("a worker runs once: make another")
        limits = making.make_time_limits(self._settings, self._events.put)
        heartbeat = making.make_heartbeat(
            self._settings, self.status_board, self.reporter, self._reservations
        )
        executor = making.make_executor(self._settings, limits, self._event_loop)
        with ExitStack() as cleaning_up:
            cleaning_up.callback(self._close_event_loop)
            cleaning_up.callback(limits.close)
            cleaning_up.enter_context(self._events)
            cleaning_up.enter_context(
                handling_signals(self._handle_signal, self._events.wakeup_fd)
            )
            if self._notes is not None:
                cleaning_up.enter_context(self._notes)
            heartbeat.start()
            cleaning_up.callback(heartbeat.close)
            self._slots = making.make_slots(
                self._settings,
                self.status_board,
                executor=executor,
                reporter=self.reporter,
                notes=self._notes,
                on_job_begin=heartbeat.job_begins,
                on_job_ran=self._count_job,
            )
            if self._takes_jobs():
                self._start_all(
                    making.starter(
                        self._settings, executor, self._event_loop, heartbeat
                    )
                )
            self._handle_events()
            if self._shutdown.phase is Phase.RUNNING:
                self.status_board.state = ProcessState.DONE
            self._join()
        if self._failure is not None:
            raise self._failure

    def _close_event_loop(self) -> None:
        if not self._stuck:  # the loop itself may be stuck
            self._event_loop.close()

    def _takes_jobs(self) -> bool:
        """Handle what came before the slots: after some of it, none of them starts."""
        if self.status_board.is_quiet:  # as the process was in whose place this is
            self.quiet("its supervisor is")
        while (event := self._events.get(0)) is not None:
            self._handle(event)
        if self._shutdown.phase is Phase.QUIET:
            self.status_board.state = ProcessState.WORKING
        return self._shutdown.phase is Phase.RUNNING

    def _start_all(self, start: making.Starter) -> None:
        """Start the slots; if the system has too few threads, stop those that run."""
        try:
            for slot in self._slots:
                self._running_slots.append(start(slot, self._events.put))
                self._slots_at_work += 1
            self.status_board.state = ProcessState.WORKING
        except NO_THREAD as error:
            self._failure = JobQueueError(
                f"only {self._slots_at_work} of {len(self._slots)} threads could be "
                f"started ({reason_of(error)}): start fewer, or raise the limit"
            )
            self._drain(StopReason.NO_THREAD)

    def _handle_events(self) -> None:
        """Handle events until all slots have ended, or, at a stop, hold no job."""
        while self._slots_at_work or self._shutdown.phase is Phase.QUIET:
            is_draining = self._shutdown.phase >= Phase.DRAINING
            longest = math.inf
            if self._shutdown.phase is not Phase.RUNNING:
                begin_none = self._interrupt_idle_slots()
                if is_draining and begin_none and not self._running():
                    return
                if is_draining or not begin_none:
                    longest = self._timings.arrival_patience
            event = self._events.get(min(self._shutdown.seconds_left(), longest))
            if is_draining and not self._reported.issuperset(self._running()):
                self._report_stop()  # again: a job that was on its way has come
            if event is not None:
                self._handle(event)
            elif self._shutdown.phase is Phase.ABANDONING:
                self._abandon()
                return

    def _interrupt_idle_slots(self) -> bool:
        """Interrupt the slots that wait for a job, a moment after the stop began.

        In that moment the jobs arrive that the broker had already sent. Returns whether
        no slot will begin a job any more.
        """
        if not self._shutdown.has_lasted(self._timings.arrival_patience):
            return False
        are_interrupted = [slot.interrupt_wait() for slot in self._slots]
        return all(are_interrupted)

    def _handle(self, event: _Event) -> None:
        match event:
            case QuietRequest(reason, at):
                if self._shutdown.request_quiet(at):
                    self._be_quiet(reason)
            case StopRequest():
                self._drain(*event)
            case StuckJob():
                if self._stuck.give_up(event):
                    self._failure = JobStuckError(
                        f"job {event.job.id} does not stop: only the end of its "
                        "process ends it"
                    )
                    blocked, stuck = StopReason.BLOCKED_LOOP, StopReason.STUCK_JOB
                    self._drain(blocked if event.is_loop_blocked else stuck)
            case SlotEnded(error):
                self._slots_at_work -= 1
                if error is not None:
                    self.reporter.slot_failed(error)
                    self._failure = self._failure or error
                    self._drain(StopReason.SLOT_FAILED)

    def _count_job(self) -> None:
        """Count a job that has run. Called by the slot, before it settles the job."""
        if next(self._job_numbers) == self._settings.max_jobs:
            # Here, not by an event, so that no slot reserves a job that it may not run.
            self.stop(StopReason.MAX_JOBS)

    def _be_quiet(self, reason: str) -> None:
        """Let no slot take another job, and say so."""
        self.status_board.is_quiet = True
        for slot in self._slots:
            slot.stop()
        self.reporter.worker_quiet(reason, self._running())

    def _drain(
        self, reason: StopReason, text: str = "", at: float | None = None
    ) -> None:
        """Let no slot take another job."""
        if self._shutdown.request(reason, text, at):
            if reason is not StopReason.NO_THREAD:  # else it has never worked
                self.status_board.state = ProcessState.LEAVING
                self.on_leaving()
            for slot in self._slots:
                slot.stop()
            self._report_stop()

    def _report_stop(self) -> None:
        running = self._running()
        self._reported.update(running)
        self.reporter.worker_stopping(self._shutdown.reason, running)

    def _abandon(self) -> None:
        """Give the running jobs back; exit, if no error is to be raised."""
        for slot in self._slots:
            slot.abandon()  # first: so all that the exit cuts off is among the running
        self.reporter.jobs_abandoned(self._shutdown.abandon_reason, self._running())
        call_with_timeout(self._release_running)
        if self._failure is None:
            exit_now()

    def _release_running(self) -> None:
        for slot in self._slots:
            slot.interrupt_wait()  # else an idle one may get what is released
        release_all(self._reservations())

    def _reservations(self) -> list[Reservation]:
        held = [slot.reservation for slot in self._slots]
        return [reservation for reservation in held if reservation is not None]

    def _running(self) -> list[int]:
        """Return the ids of the running jobs, without those that are stuck."""
        return [r.id for r in self._reservations() if r not in self._stuck]

    def _join(self) -> None:
        """Give idle slot threads a moment to finish."""
        deadline = time.monotonic() + self._timings.thread_exit_patience
        for slot in self._running_slots:
            slot.join(max(0, deadline - time.monotonic()))

    def _stack_of(self, reservation: Reservation) -> str:
        return stack_of(reservation, self._running_slots, self._event_loop)
