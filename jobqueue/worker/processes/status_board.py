"""The status of a process and its slots, where the supervisor can read it.

A process that crashes can't report which jobs it was running. So its slots write that
into memory shared with the supervisor, which costs no system call.
"""

import enum
import math
import mmap
import time
from collections.abc import Iterator
from typing import NamedTuple

_FLAGS_SIZE = 8  # bytes
_STATE_SIZE = 24  # bytes: the flags, the longest turn, and the last beat
_SLOT_SIZE = 24  # bytes: a job's id, the deadline of its time limit, and the last turn
_NO_JOB = 0


class ProcessState(enum.IntEnum):
    """The stage of its life that a process is in."""

    STARTING = 0  # also if it ends because it can't start all of its threads
    WORKING = 1
    LEAVING = 2  # it takes no more jobs, and another may take its place
    DONE = 3  # a burst is over: no job is ready


class RunningJob(NamedTuple):
    """A job that a slot runs, and when its time limit expires (0: never)."""

    job_id: int
    deadline: float  # time.monotonic()


class SlotStatus:
    """The job of one slot, and when its loop turned last, in shared memory."""

    def __init__(self, memory: memoryview) -> None:
        self._job_id = memory[:8].cast("Q")
        self._deadline = memory[8:16].cast("d")
        self._turned_at = memory[16:].cast("d")

    @property
    def turned_at(self) -> float:
        """The ``time.monotonic()`` of the loop's last turn; inf: the slot has ended."""
        return self._turned_at[0]

    def turn(self) -> None:
        """Publish that the slot's loop turns, with no job in hand."""
        self._turned_at[0] = time.monotonic()

    def leave(self) -> None:
        """Publish that the slot has ended, as it should: its loop turns no more."""
        self._turned_at[0] = math.inf

    def begin(self, job_id: int) -> None:
        """Publish that a job begins."""
        self._job_id[0] = job_id

    def publish_deadline(self, at: float) -> None:
        """Publish the ``time.monotonic()`` of the job's time limit; 0: it has none."""
        self._deadline[0] = at

    def end(self) -> None:
        """Publish that no job runs."""
        self._job_id[0] = _NO_JOB

    def read(self) -> RunningJob | None:
        """Return the job that runs, if any."""
        job_id, deadline = self._job_id[0], self._deadline[0]
        return None if job_id == _NO_JOB else RunningJob(job_id, deadline)


class WatchedSlotStatus(SlotStatus):
    """The status of a slot whose health is asked for: the end of a job is a turn, too.

    Others save the time for it, as that is spent for each job.
    """

    def end(self) -> None:
        """Publish that no job runs, and that the loop turns."""
        super().end()
        self.turn()


class StatusBoard:
    """A process's state and its slots' jobs: in its own memory, unless shared."""

    def __init__(
        self,
        slots: int,
        memory: bytearray | mmap.mmap | None = None,
        *,
        is_watched: bool = False,
    ) -> None:
        self._memory = memoryview(
            bytearray(size_of_status_board(slots)) if memory is None else memory
        )
        self._times = self._memory[_FLAGS_SIZE:_STATE_SIZE].cast("d")
        rest = self._memory[_STATE_SIZE:]
        kind = WatchedSlotStatus if is_watched else SlotStatus
        self.slot_statuses = [
            kind(rest[n * _SLOT_SIZE :][:_SLOT_SIZE]) for n in range(slots)
        ]

    @property
    def must_abandon_jobs(self) -> bool:
        """Whether the supervisor waits for the process's jobs no longer.

        A signal that comes after this was set is the supervisor's.
        """
        return bool(self._memory[1])

    @must_abandon_jobs.setter
    def must_abandon_jobs(self, must: bool) -> None:
        self._memory[1] = must

    @property
    def state(self) -> ProcessState:
        """The stage of its life that the process is in."""
        return ProcessState(self._memory[0])

    @state.setter
    def state(self, state: ProcessState) -> None:
        self._memory[0] = state

    @property
    def is_quiet(self) -> bool:
        """Whether the process takes no more jobs, and stays."""
        return bool(self._memory[3])

    @is_quiet.setter
    def is_quiet(self, is_it: bool) -> None:
        self._memory[3] = is_it

    @property
    def has_broker(self) -> bool:
        """Whether the broker has answered, and is not away since then."""
        return bool(self._memory[2])

    @has_broker.setter
    def has_broker(self, has: bool) -> None:
        self._memory[2] = has

    @property
    def longest_turn(self) -> float:
        """The seconds from one turn of an idle slot's loop to the next, at most."""
        return self._times[0]

    @longest_turn.setter
    def longest_turn(self, seconds: float) -> None:
        self._times[0] = seconds

    @property
    def beaten_at(self) -> float:
        """The ``time.monotonic()`` of the last beat; there are some while jobs run."""
        return self._times[1]

    def beat(self) -> None:
        """Publish that the process's threads run."""
        self._times[1] = time.monotonic()

    def running(self) -> Iterator[RunningJob]:
        """Yield the jobs that the slots run."""
        for slot_status in self.slot_statuses:
            job = slot_status.read()
            if job is not None:
                yield job

    def count(self) -> int:
        """Return how many slots run a job."""
        return sum(1 for _ in self.running())


def size_of_status_board(slots: int) -> int:
    """Return the bytes that a status board of this many slots takes."""
    return _STATE_SIZE + slots * _SLOT_SIZE
