"""The memories in which the processes of a supervisor count."""

from collections.abc import Collection

from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.reporting.counters import SIZE, Memory


class CounterPool:
    """The memories in which the processes of a supervisor count.

    A memory outlives its process, and the next process goes on counting in it. So there
    are no more memories than processes at a time, however many come and go.
    """

    def __init__(self) -> None:
        self._all: list[SharedMemory] = []

    def memories(self) -> list[Memory]:
        """Return all memories, to read them. Can be called from another thread."""
        return [shared.memory for shared in self._all]

    def free(self, used: Collection[SharedMemory | None]) -> SharedMemory:
        """Return a memory that is not among those that processes use now."""
        for shared in self._all:
            if shared not in used:
                return shared
        self._all.append(SharedMemory(SIZE))
        return self._all[-1]
