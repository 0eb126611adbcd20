"""Several worker processes: started, replaced when they end, and stopped together."""

import enum
import math
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from jobqueue.worker.exits import call_with_timeout
from jobqueue.worker.processes.child import Forked
from jobqueue.worker.processes.counter_pool import CounterPool
from jobqueue.worker.processes.event_queue import EventQueue
from jobqueue.worker.processes.process import Process
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import children_noticed, handling_signals
from jobqueue.worker.processes.status_board import ProcessState
from jobqueue.worker.reporting import process_log

CANNOT_START = 2  # exit status
STARTING_POLL = 0.05  # seconds, until the first process works
POLL = 0.5  # seconds, between looks at what the processes do
MARGIN = 1.0  # seconds, for a process to do by itself what it is told
FROZEN = POLL + MARGIN  # seconds between looks, if the supervisor could not do better
STEADY = 60.0  # seconds: a process that lived so long has not died of its start
FIRST_PAUSE = 0.5  # seconds, before the third process in a row that dies young
LONGEST_PAUSE = 30.0  # seconds


@dataclass(slots=True)
class _Seat:
    """Where one process works, and then the next."""

    number: int
    process: Process | None = None
    starts_at: float = -math.inf  # time.monotonic()
    deaths: int = 0  # in a row, of processes that died young
    is_done: bool = False


class _Event(enum.Enum):
    SIGNAL = enum.auto()
    PROCESS_ENDED = enum.auto()


class Supervisor:
    """Keeps a number of worker processes running.

    ``command`` starts one, where it is not forked. The first is started alone: if it
    can't, nor could the others. With ``tallies``, each is given memory to count in.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        processes: int,
        threads: int,
        shutdown_timeout: float,
        tallies: CounterPool | None = None,
    ) -> None:
        self._command = command
        self._tallies = tallies
        self._threads = threads
        self._shutdown_timeout = shutdown_timeout
        self._places = [_Seat(n) for n in range(1, processes + 1)]
        self._leaving: list[Process] = []  # others have taken their places
        self._inbox: EventQueue[_Event] = EventQueue()
        self._has_worked = False
        self._looked_at = self._awake_since = time.monotonic()
        self._is_stopping = False
        self._deadline = math.inf  # time.monotonic()
        self._is_abandoning = False
        self._signals = 0
        self._status = 0

    def run(self) -> int:
        """Work until a signal comes, and return the exit status.

        Raises :class:`~jobqueue.worker.processes.child.Forked` in each process that it
        has forked.
        """
        call_with_timeout(
            process_log.supervisor_started, len(self._places), self._threads
        )
        with self._inbox as inbox, ExitStack() as noticing:
            signals = handling_signals(
                lambda: inbox.put(_Event.SIGNAL), inbox.wakeup_fd
            )
            noticing.enter_context(signals)
            ended = children_noticed(lambda: inbox.put(_Event.PROCESS_ENDED))
            noticing.enter_context(ended)
            while self._goes_on():
                self._start_what_is_due()
                self._wait()
                self._look_at_processes()
        call_with_timeout(process_log.supervisor_stopped)
        return self._status

    def running(self) -> int:
        """Return how many jobs run now. Can be called from another thread."""
        alive = [p for p in self._processes() if p.status is None]
        return sum(process.board.count() for process in alive)

    def _goes_on(self) -> bool:
        if self._processes():
            return True
        return not self._is_stopping and not all(p.is_done for p in self._places)

    def _processes(self) -> list[Process]:
        current = [place.process for place in self._places]
        return [p for p in [*current, *self._leaving] if p is not None]

    def _start_what_is_due(self) -> None:
        if self._is_stopping:
            return
        for place in self._places if self._has_worked else self._places[:1]:
            due = place.starts_at <= time.monotonic() and not place.is_done
            if due and place.process is None:
                self._start(place)

    def _start(self, place: _Seat) -> None:
        try:
            place.process = Process(
                place.number, self._command, self._threads, self._tally()
            )
        except Forked:
            for process in self._processes():
                process.stop()  # that is, keep no end of its pipe in this one
            raise
        except OSError as error:  # no memory, or too many processes or files
            pause = self._pause_after_death(place)
            call_with_timeout(
                process_log.process_not_started, place.number, error, pause
            )

    def _tally(self) -> SharedMemory | None:
        if self._tallies is None:
            return None
        return self._tallies.free([process.tally for process in self._processes()])

    def _wait(self) -> None:
        """Wait until a process may have ended, or a signal comes."""
        event = self._inbox.get(POLL if self._has_worked else STARTING_POLL)
        if event is _Event.SIGNAL:
            self._signals += 1
            self._stop("a signal")

    def _has_ended(self, process: Process) -> None:
        if process in self._leaving:
            self._leaving.remove(process)
            self._report_death(process)
            return
        self._has_worked |= process.board.state is not ProcessState.STARTING
        place = self._places[process.number - 1]
        place.process = None
        place.is_done = process.board.state is ProcessState.DONE
        has_left = (
            process.board.state is ProcessState.LEAVING and not process.has_crashed
        )
        if self._is_stopping:
            self._report_death(process)
        if self._is_stopping or place.is_done or has_left:
            return
        if process.status == CANNOT_START and not self._has_worked:
            self._status = CANNOT_START  # and it has said why
            self._stop("a process could not start")
            return
        if time.monotonic() - process.began >= STEADY:
            place.deaths = 0
        pause = self._pause_after_death(place)
        call_with_timeout(process_log.process_died, *_death(process), pause=pause)

    def _report_death(self, process: Process) -> None:
        """Say so if a process that was to end has crashed before it had finished."""
        if process.has_crashed and not (self._is_abandoning or process.was_killed):
            call_with_timeout(process_log.process_died, *_death(process), pause=None)

    def _pause_after_death(self, place: _Seat) -> float:
        place.deaths += 1
        pause = _pause(place.deaths)
        place.starts_at = time.monotonic() + pause
        return pause

    def _look_at_processes(self) -> None:
        self._note_freezing()
        for process in self._processes():
            if process.status is not None:
                process.stop()  # that is, close what it was held by
                self._has_ended(process)
        for place in self._places:
            if place.process is not None:
                self._look_at(place, place.process)
        for process in self._leaving:
            self._end_if_hung(process)
        if time.monotonic() >= self._deadline:
            self._abandon()

    def _note_freezing(self) -> None:
        """See if all was frozen: with Ctrl-Z, or its container, or its machine."""
        now = time.monotonic()
        if now - self._looked_at > FROZEN:
            self._awake_since = now
        self._looked_at = now

    def _look_at(self, place: _Seat, process: Process) -> None:
        state = process.board.state
        self._has_worked |= state is not ProcessState.STARTING
        if (
            state is ProcessState.LEAVING
            and not self._is_stopping
            and self._has_room(place)
        ):
            self._leaving.append(process)
            place.process = None
            place.deaths = 0
        self._end_if_hung(process)

    def _has_room(self, place: _Seat) -> bool:
        """Tell whether those that have left a place hold fewer jobs than it has slots.

        Else jobs that take long would pile up, in one process after the other.
        """
        left = [p.board.count() for p in self._leaving if p.number == place.number]
        return sum(left) < self._threads

    def _end_if_hung(self, process: Process) -> None:
        job = process.is_hung(self._shutdown_timeout, self._awake_since)
        if job is not None:
            process.kill()
            call_with_timeout(
                process_log.process_hung, process.number, process.pid, job.job_id
            )

    def _stop(self, reason: str) -> None:
        """Let all processes finish their jobs; at a second signal, wait no longer."""
        if not self._is_stopping:
            self._is_stopping = True
            self._deadline = time.monotonic() + self._shutdown_timeout + MARGIN
            processes = self._processes()
            for process in processes:
                process.stop()
            call_with_timeout(process_log.supervisor_stopping, len(processes), reason)
        if self._signals > 1:
            self._abandon()

    def _abandon(self) -> None:
        """Wait for the jobs no longer; and the next time, not for the processes."""
        for process in self._processes():
            if self._is_abandoning:
                process.kill()
            else:
                process.abandon()
        self._is_abandoning = True
        self._deadline = time.monotonic() + MARGIN


def _pause(deaths: int) -> float:
    """Return how long to wait before another process takes the place: first, not."""
    if deaths <= 1:
        return 0
    return min(FIRST_PAUSE * 2.0 ** min(deaths - 2, 10), LONGEST_PAUSE)


def _death(process: Process) -> tuple[int, int, str, list[int]]:
    ids = [running.job_id for running in process.board.running()]
    return process.number, process.pid, _how(process.status), ids


def _how(status: int | None) -> str:
    if status is None or status >= 0:
        return f"has exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}"
