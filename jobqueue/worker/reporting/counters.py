"""Counts of what worker processes do, in memory that another process can read.

A count must outlive the process that made it, however the process ends. So each process
counts in shared memory, which costs no system call. The process that replaces it goes
on counting in the same memory.
"""

import json
import mmap
import sys
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from jobqueue.broker.address import Address
from jobqueue.errors import CrashLoopError
from jobqueue.job.decision import SUCCEEDED, Decision, Ending
from jobqueue.task.definition import Task
from jobqueue.worker.reporting.reporter import Listener
from jobqueue.worker.running.executor import ReservedJob, Result

UNKNOWN = "(unknown)"  # no Python function can have this name

Memory = mmap.mmap | bytearray
Key = tuple[str, ...]  # a tube and a func_name; or a broker's URL alone

SIZE = 2**22  # bytes, for some thousand tasks; unused pages take no memory

# The upper bounds of a histogram, in seconds: from a cache lookup to an hour's report.
BOUNDS = (
    *(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)

# A row has a number in each of these columns. The numbers are floats, as everywhere in
# Prometheus; whole numbers are exact up to 2**53.
ENDINGS = slice(0, len(Ending))
BUCKETS = slice(ENDINGS.stop, ENDINGS.stop + len(BOUNDS) + 1)
SECONDS = BUCKETS.stop
_COLUMNS = SECONDS + 1
RECONNECTS = 0  # in the row of a broker

_NUMBER = 8  # bytes
_START = _NUMBER  # of the rows; the number before them says where they end


class CountTable:
    """Rows of numbers under keys, in memory that was all zeros at first.

    One process appends rows, and others read them at any time. A row is the key's size,
    the key, and the numbers.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memoryview(memory)
        self._end = self._memory[:_NUMBER].cast("Q")

    def append(self, key: Key) -> "memoryview[float] | None":
        """Append a row of zeros and return its numbers; None if there is no room."""
        name = json.dumps(key).encode("ascii")
        name = name.ljust(-(-len(name) // _NUMBER) * _NUMBER)  # keeps numbers aligned
        start = self._end[0] or _START
        numbers = start + _NUMBER + len(name)
        end = numbers + _COLUMNS * _NUMBER
        if end > len(self._memory):
            return None
        size = len(name).to_bytes(_NUMBER, sys.byteorder)
        self._memory[start:end] = (size + name).ljust(end - start, b"\0")
        self._end[0] = end  # set last: readers see whole rows only
        return self._memory[numbers:end].cast("d")

    def rows(self) -> Iterator[tuple[Key, "memoryview[float]"]]:
        """Yield each row's key and numbers."""
        start, stop = _START, self._end[0]
        while start < stop:
            size = self._memory[start : start + _NUMBER].cast("Q")[0]
            numbers = start + _NUMBER + size
            end = numbers + _COLUMNS * _NUMBER
            key = json.loads(bytes(self._memory[start + _NUMBER : numbers]))
            yield tuple(key), self._memory[numbers:end].cast("d")
            start = end


class JobCounters(Listener):
    """Counts the jobs of one process, for each task.

    Jobs of no known task are counted together for their tube, so that odd bodies make
    no more rows. If another process has counted in this memory, its counts go on.
    """

    def __init__(self, memory: Memory, address: Address, tasks: Iterable[Task]) -> None:
        self._lock = threading.Lock()
        self._table = CountTable(memory)
        self._rows = dict(self._table.rows())
        self._broker = self._row((str(address),))
        for task in tasks:  # so that each has its zeros before the first job
            self._row((task.tube, task.func_name))

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        """Count a job, and how long it ran if its function was called."""
        ending, task = decision.ending, job.task
        if ending is None or (not result.has_run and ending is Ending.LOST):
            return  # it has not ended
        with self._lock:
            if task is None:
                tube = UNKNOWN if decision.stats is None else decision.stats.tube
                self._row((tube, UNKNOWN))[ending] += 1
                return
            row = self._row((task.tube, task.func_name))
            row[ending] += 1
            if result.has_run:
                row[BUCKETS.start + bisect_left(BOUNDS, result.seconds)] += 1
                row[SECONDS] += result.seconds

    def job_stuck(self, job: ReservedJob, stack: str, *, is_buried: bool) -> None:
        """Count a burial, but no run: nobody knows when the run ends."""
        if is_buried:
            self._count(job, Ending.BURIED)

    def job_buried_while_running(self, job: ReservedJob, error: CrashLoopError) -> None:
        """Count a burial, but no run: the run is counted if it succeeds."""
        self._count(job, Ending.BURIED)

    def buried_job_ended(
        self,
        job: ReservedJob,
        result: Result,
        *,
        is_doubted: bool,
        is_deleted: bool,
    ) -> None:
        """Count a job that has succeeded after all, and its run."""
        if is_deleted:
            self.job_ended(job, result, SUCCEEDED)

    def broker_found(self, address: Address) -> None:
        """Count a reconnection."""
        with self._lock:
            self._broker[RECONNECTS] += 1

    def _count(self, job: ReservedJob, ending: Ending) -> None:
        if job.task is not None:
            with self._lock:
                self._row((job.task.tube, job.task.func_name))[ending] += 1

    def _row(self, key: Key) -> "memoryview[float]":
        row = self._rows.get(key)
        if row is None:
            row = self._table.append(key)
            if row is None:  # no room: count where nobody reads
                row = memoryview(bytearray(_COLUMNS * _NUMBER)).cast("d")
            self._rows[key] = row
        return row


def totals(memories: Iterable[Memory]) -> dict[Key, list[float]]:
    """Return the sums of each row over all memories."""
    found: dict[Key, list[float]] = {}
    for memory in memories:
        for key, row in CountTable(memory).rows():
            before = found.get(key, [0.0] * _COLUMNS)
            found[key] = [a + b for a, b in zip(before, row, strict=True)]
    return found
