"""What each slot of a process does, where its supervisor can see it.

A process that crashes can't say which job it had been running. So its slots note that
in memory that they share with the supervisor, which costs no system call.
"""

import enum
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

_STATE_SIZE = 8  # bytes
_CELL_SIZE = 16  # bytes: a job's id, and when its time limit is over
_NO_JOB = 0


class State(enum.IntEnum):
    """How far a process is."""

    STARTING = 0
    WORKING = 1
    LEAVING = 2  # it takes no more jobs, and another may take its place
    DONE = 3  # no job is ready, and that is all that it was to wait for


@dataclass(frozen=True, slots=True)
class Running:
    """A job that a slot runs, and when its time limit is over (0: never)."""

    job_id: int
    limit: float  # time.monotonic()


class Cell:
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

    def read(self) -> Running | None:
        """Return what runs."""
        job_id, limit = self._job_id[0], self._limit[0]
        return None if job_id == _NO_JOB else Running(job_id, limit)


class Board:
    """A process's state and its slots' cells: in its own memory, unless shared."""

    def __init__(self, slots: int, memory: bytearray | mmap.mmap | None = None) -> None:
        self._memory = memoryview(bytearray(_size(slots)) if memory is None else memory)
        cells = self._memory[_STATE_SIZE:]
        self.cells = [Cell(cells[n * _CELL_SIZE :][:_CELL_SIZE]) for n in range(slots)]

    @property
    def state(self) -> State:
        """How far the process is."""
        return State(self._memory[0])

    @state.setter
    def state(self, state: State) -> None:
        self._memory[0] = state

    def running(self) -> Iterator[Running]:
        """Yield what the slots run."""
        for cell in self.cells:
            found = cell.read()
            if found is not None:
                yield found


class SharedMemory:
    """The memory of a board, made by the supervisor for one process."""

    def __init__(self, slots: int) -> None:
        if sys.platform == "win32":
            self.handle = f"jobqueue-{os.getpid()}-{os.urandom(8).hex()}"
            self.fds: tuple[int, ...] = ()
            self.memory = mmap.mmap(-1, _size(slots), tagname=self.handle)
        else:
            fd = _nameless_file()
            os.truncate(fd, _size(slots))
            self.memory = mmap.mmap(fd, _size(slots))
            self.fds = (fd,)
            self.handle = str(fd)

    def passed_on(self) -> None:
        """Close what only the start of the process needed."""
        for fd in self.fds:
            os.close(fd)

    @staticmethod
    def open(handle: str, slots: int) -> mmap.mmap:
        """Return the memory, in the process that was given the handle."""
        if sys.platform == "win32":
            return mmap.mmap(-1, _size(slots), tagname=handle)
        fd = int(handle)
        try:
            return mmap.mmap(fd, _size(slots))
        finally:
            os.close(fd)


def _nameless_file() -> int:
    """Return the descriptor of a file in memory, or else on the disk."""
    if hasattr(os, "memfd_create"):  # needs no folder that can be written
        return os.memfd_create("jobqueue")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _size(slots: int) -> int:
    return _STATE_SIZE + slots * _CELL_SIZE
