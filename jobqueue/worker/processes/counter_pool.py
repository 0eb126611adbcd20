"""The memories that the processes of a supervisor count in."""

from collections.abc import Collection

from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.reporting.counters import SIZE, Memory


class CounterPool:
    """The memories that the processes of a supervisor count in.

    There are no more than there are processes at a time, however many come and go.
    """

    def __init__(self) -> None:
        self._all: list[SharedMemory] = []

    def memories(self) -> list[Memory]:
        """Return what can be read. Can be called from another thread."""
        return [shared.memory for shared in self._all]

    def free(self, used: Collection[SharedMemory | None]) -> SharedMemory:
        """Return one that no process uses, if these are used."""
        for shared in self._all:
            if shared not in used:
                return shared
        self._all.append(SharedMemory(SIZE))
        return self._all[-1]
