"""What each slot of a process does, where its supervisor can see it.

A process that crashes can't say which job it had been running. So its slots note that
in memory that they share with the supervisor, which costs no system call.
"""

import enum
import mmap
from collections.abc import Iterator
from dataclasses import dataclass

_STATE_SIZE = 8  # bytes
_CELL_SIZE = 16  # bytes: a job's id, and when its time limit is over
_NO_JOB = 0


class ProcessState(enum.IntEnum):
    """How far a process is."""

    STARTING = 0
    WORKING = 1
    LEAVING = 2  # it takes no more jobs, and another may take its place
    DONE = 3  # no job is ready, and that is all that it was to wait for


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a slot runs, and when its time limit is over (0: never)."""

    job_id: int
    limit: float  # time.monotonic()


class SlotStatus:
    """What one slot does."""

    def __init__(self, memory: memoryview) -> None:
        self._job_id = memory[:8].cast("Q")
        self._limit = memory[8:].cast("d")

    def begin(self, job_id: int) -> None:
        """Note that a job begins."""
        self._job_id[0] = job_id

    def limit(self, at: float) -> None:
        """Note when the job's time limit is over; 0: never."""
        self._limit[0] = at

    def end(self) -> None:
        """Note that no job runs."""
        self._job_id[0] = _NO_JOB

    def read(self) -> RunningJob | None:
        """Return what runs."""
        job_id, limit = self._job_id[0], self._limit[0]
        return None if job_id == _NO_JOB else RunningJob(job_id, limit)


class StatusBoard:
    """A process's state and its slots' cells: in its own memory, unless shared."""

    def __init__(self, slots: int, memory: bytearray | mmap.mmap | None = None) -> None:
        self._memory = memoryview(
            bytearray(size_of_status_board(slots)) if memory is None else memory
        )
        cells = self._memory[_STATE_SIZE:]
        self.cells = [
            SlotStatus(cells[n * _CELL_SIZE :][:_CELL_SIZE]) for n in range(slots)
        ]

    @property
    def state(self) -> ProcessState:
        """How far the process is."""
        return ProcessState(self._memory[0])

    @state.setter
    def state(self, state: ProcessState) -> None:
        self._memory[0] = state

    def running(self) -> Iterator[RunningJob]:
        """Yield what the slots run."""
        for cell in self.cells:
            found = cell.read()
            if found is not None:
                yield found

    def count(self) -> int:
        """Return how many slots run a job."""
        return sum(1 for _ in self.running())


def size_of_status_board(slots: int) -> int:
    """Return how many bytes the board of so many slots takes."""
    return _STATE_SIZE + slots * _CELL_SIZE
