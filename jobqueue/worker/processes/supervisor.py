"""The supervisor: starts worker processes, replaces them, and stops them together."""

import math
import signal
import time
from contextlib import ExitStack

from jobqueue.worker.exits import call_with_timeout
from jobqueue.worker.processes.child import Forked
from jobqueue.worker.processes.counter_pool import CounterPool
from jobqueue.worker.processes.event_queue import EventQueue
from jobqueue.worker.processes.health import Health
from jobqueue.worker.processes.process import CANNOT_START, Process
from jobqueue.worker.processes.seat import Seat
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import (
    QUIET_SIGNAL,
    STOP_SIGNALS,
    Impatience,
    handling_child_exits,
    handling_signals,
    is_impatient,
)
from jobqueue.worker.processes.spawn_command import SpawnCommand
from jobqueue.worker.processes.status_board import ProcessState
from jobqueue.worker.reporting import process_log
from jobqueue.worker.settings import Timings


class Supervisor:
    """Keeps one or more worker processes running.

    ``command`` starts a process, where it can't be forked. The first is started alone:
    if it can't start, nor could the others. With ``counter_pool``, each process is
    given memory to count in. ``shutdown_timeout`` is in seconds.

    One process alone logs all that there is to say about its start and its stop. So the
    supervisor logs its own only if there are several.
    """

    def __init__(
        self,
        command: SpawnCommand,
        *,
        processes: int,
        threads: int,
        shutdown_timeout: float,
        counter_pool: CounterPool | None = None,
        timings: Timings | None = None,
    ) -> None:
        self._command = command
        self._counter_pool = counter_pool
        self._threads = threads
        self._shutdown_timeout = shutdown_timeout
        self._timings = timings or Timings()
        self._seats = [Seat(n, self._timings) for n in range(1, processes + 1)]
        self.health = Health(self._seats, lambda: self._is_stopping)
        self._has_several = processes > 1
        # Each signal, and when it came: the log may block for a while in between.
        self._events: EventQueue[tuple[signal.Signals, float]] = EventQueue()
        self._has_worked = False  # any process
        self._looks_next_at = self._awake_since = time.monotonic()
        self._is_quiet = False
        self._is_stopping = False
        self._deadline = math.inf  # time.monotonic(), for what was told to end
        self._is_abandoning = False
        self._impatience = Impatience()
        self._exit_status = 0

    def run(self) -> int:
        """Keep the processes running until a signal, and return the exit status.

        Raises :class:`~jobqueue.worker.processes.child.Forked` in each process that it
        has forked.
        """
        if self._has_several:
            call_with_timeout(
                process_log.supervisor_started, len(self._seats), self._threads
            )
        with self._events as events, ExitStack() as handling:
            handling.enter_context(handling_signals(self._note, events.wakeup_fd))
            handling.enter_context(
                handling_child_exits(lambda: self._note(signal.SIGCHLD))
            )
            while self._goes_on():
                self._start_what_is_due()
                self._wait()
                self._look_at_processes()
        if self._has_several:
            call_with_timeout(process_log.supervisor_stopped)
        return self._exit_status

    def _note(self, signum: signal.Signals) -> None:
        self._events.put((signum, time.monotonic()))

    def _goes_on(self) -> bool:
        if self._processes():
            return True
        return not self._is_stopping and not all(seat.is_done for seat in self._seats)

    def _processes(self) -> list[Process]:
        return [process for seat in self._seats for process in seat.processes()]

    def _start_what_is_due(self) -> None:
        if self._is_stopping:
            return
        for seat in self._seats if self._has_worked else self._seats[:1]:
            if seat.is_due():
                self._start(seat)

    def _start(self, seat: Seat) -> None:
        try:
            seat.process = Process(
                seat.number,
                self._command,
                self._threads,
                self._free_counters(),
                is_quiet=self._is_quiet,
            )
        except Forked:
            for process in self._processes():
                process.close_pipe()  # only the supervisor may hold it
            raise
        except OSError as error:  # no memory, or too many processes or files
            pause = seat.pause_after_death()
            call_with_timeout(
                process_log.process_not_started, seat.number, error, pause
            )

    def _free_counters(self) -> SharedMemory | None:
        if self._counter_pool is None:
            return None
        return self._counter_pool.free([p.counters for p in self._processes()])

    def _wait(self) -> None:
        """Wait until a process may have changed, or a signal comes."""
        seconds = self._poll_interval()
        self._looks_next_at = time.monotonic() + seconds
        event = self._events.get(seconds)
        if event is not None and event[0] in STOP_SIGNALS:
            self._handle_signal(*event)
        elif event is not None and event[0] == QUIET_SIGNAL:
            self._be_quiet()

    def _handle_signal(self, signum: signal.Signals, at: float) -> None:
        """Have all processes finish their jobs; at a second signal, don't wait."""
        self._stop(signum.name)
        if is_impatient(signum) and self._impatience.is_shown_at(at):
            self._abandon()

    def _be_quiet(self) -> None:
        """Have all processes, and those that take their place, take no more jobs."""
        if not self._is_quiet:
            self._is_quiet = True
            for process in self._processes():
                process.quieten()

    def _poll_interval(self) -> float:
        """Return the seconds until the next look at the processes.

        A signal and the end of a process wake the supervisor up. Nothing does when a
        process begins to work or to leave, or when a job hangs.
        """
        if not self._has_worked and self._has_several:
            return self._timings.starting_poll
        is_idle = all(
            seat.process is not None or seat.is_done for seat in self._seats
        ) and not any(seat.leaving for seat in self._seats)
        if is_idle and not self._is_stopping and not self.health.count_running():
            return self._timings.idle_poll
        return self._timings.poll

    def _look_at_processes(self) -> None:
        self._note_suspension()
        for seat in self._seats:
            for process in seat.processes():
                if process.exit_status is not None:
                    process.close_pipe()
                    self._handle_exit(seat, process)
                else:
                    self._handle_leaving(seat, process)
                    self._kill_if_hung(process)
        if time.monotonic() >= self._deadline:
            self._abandon()

    def _note_suspension(self) -> None:
        """Detect that all processes were suspended (Ctrl-Z, container, machine)."""
        now = time.monotonic()
        if now > self._looks_next_at + self._timings.margin:
            self._awake_since = now

    def _handle_exit(self, seat: Seat, process: Process) -> None:
        """Take a process out that has ended, and decide whether another starts."""
        state = process.status_board.state
        self._has_worked |= process.has_worked
        if process in seat.leaving:
            seat.leaving.remove(process)
            self._report_crash(process)
            return
        seat.process = None
        seat.is_done = state is ProcessState.DONE
        has_left = state is ProcessState.LEAVING and not process.has_crashed
        if self._is_stopping:
            self._report_crash(process)
        elif process.exit_status == CANNOT_START and not self._has_worked:
            self._exit_status = CANNOT_START
            self._is_stopping = True  # no other has been started; this one said why
        elif not seat.is_done and not has_left:
            pause = seat.pause_after_death(time.monotonic() - process.began)
            self._report_death(process, pause)

    def _report_crash(self, process: Process) -> None:
        """Log it if a process that was to end has crashed before it had finished."""
        if process.has_crashed and not (self._is_abandoning or process.was_killed):
            self._report_death(process, None)

    def _report_death(self, process: Process, pause: float | None) -> None:
        call_with_timeout(
            process_log.process_died,
            process.number,
            process.pid,
            process.describe_exit(),
            _running_ids(process),
            pause=pause,
        )

    def _handle_leaving(self, seat: Seat, process: Process) -> None:
        """Free the seat of a process that takes no more jobs, to start the next."""
        self._has_worked |= process.has_worked
        is_leaving = process.status_board.state is ProcessState.LEAVING
        if (
            is_leaving
            and process is seat.process
            and self._has_worked
            and not self._is_stopping
            and seat.has_room(self._threads)
        ):
            seat.leave(process)

    def _kill_if_hung(self, process: Process) -> None:
        """Kill a process in which a job lets no thread run, long after its time limit.

        The process itself gives up a job ``time_limit_grace`` after the limit, and
        ends; so it gets twice that. If it leaves, it may be waiting for other jobs.
        """
        patience = 2 * self._timings.time_limit_grace
        if process.status_board.state is ProcessState.LEAVING:
            patience += self._shutdown_timeout
        job = process.job_beyond_limit(patience, self._awake_since)
        if job is not None and not process.was_killed:
            ids = _running_ids(process)
            process.kill()
            call_with_timeout(
                process_log.process_hung,
                process.number,
                process.pid,
                job.job_id,
                [job_id for job_id in ids if job_id != job.job_id],
            )

    def _stop(self, reason: str) -> None:
        """Have all processes finish their jobs and end."""
        if self._is_stopping:
            return
        self._is_stopping = True
        margin = self._timings.margin
        self._deadline = time.monotonic() + self._shutdown_timeout + margin
        processes = self._processes()
        for process in processes:
            process.stop(reason)
        if self._has_several:
            call_with_timeout(process_log.supervisor_stopping, len(processes), reason)

    def _abandon(self) -> None:
        """Stop waiting for the jobs; the second time, for the processes."""
        if self._is_abandoning and time.monotonic() < self._deadline:
            return  # they are about to end
        processes = self._processes()
        if self._is_abandoning:
            running = {(p.number, p.pid): _running_ids(p) for p in processes}
            for process in processes:
                process.kill()
            call_with_timeout(process_log.processes_cut_off, running)
        else:
            for process in processes:
                process.abandon_jobs()
        self._is_abandoning = True
        self._deadline = time.monotonic() + self._timings.margin


def _running_ids(process: Process) -> list[int]:
    return [job.job_id for job in process.status_board.running()]
