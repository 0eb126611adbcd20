"""A seat of the supervisor: one process works in it, and then the next."""

import math
import time
from dataclasses import dataclass, field

from jobqueue.worker.processes.process import Process
from jobqueue.worker.settings import Timings

_MOST_LEAVING = 10
_MOST_DOUBLINGS = 10


@dataclass(slots=True)
class Seat:
    """A seat of the supervisor: one process works in it, and then the next."""

    number: int
    timings: Timings
    process: Process | None = None
    leaving: list[Process] = field(default_factory=list)  # they take no more jobs
    starts_at: float = -math.inf  # time.monotonic(), of the next process
    early_deaths: int = 0  # in a row
    is_done: bool = False  # a burst is over

    def processes(self) -> list[Process]:
        """Return the process that works, and those that leave."""
        return [*([] if self.process is None else [self.process]), *self.leaving]

    def is_due(self) -> bool:
        """Return whether a process has to be started now."""
        is_free = self.process is None and not self.is_done
        return is_free and self.starts_at <= time.monotonic()

    def has_room(self, slots: int) -> bool:
        """Return whether another process may start beside those that leave.

        They must run fewer jobs than there are slots, those that are stuck not counted.
        Else long jobs would pile up, in one process after the other.
        """
        jobs = sum(process.status_board.count() for process in self.leaving)
        return jobs < slots and len(self.leaving) < _MOST_LEAVING

    def leave(self, process: Process) -> None:
        """Free the seat of a process that takes no more jobs."""
        self.process = None
        self.leaving.append(process)
        self.early_deaths = 0

    def pause_after_death(self, age: float = 0.0) -> float:
        """Return the seconds until a restart, after a process that lived for ``age``.

        There is no pause after the first early death; then it doubles.
        """
        if age >= self.timings.steady_after:
            self.early_deaths = 0
        self.early_deaths += 1
        pause = 0.0
        if self.early_deaths > 1:
            doublings = min(self.early_deaths - 2, _MOST_DOUBLINGS)
            pause = self.timings.first_restart_pause * 2.0**doublings
            pause = min(pause, self.timings.longest_restart_pause)
        self.starts_at = time.monotonic() + pause
        return pause
