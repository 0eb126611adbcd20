"""The size of a campaign, and its tasks."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a campaign, and which tasks it has."""

    jobs: int  # whose puts are confirmed
    faults: int
    workers: int = 2
    processes: int = 2
    threads: int = 3
    within: float = 120  # seconds, for all jobs to have ended after the last fault
    tasks: str = "tests.faults.tasks"  # the module

    def with_async_tasks(self) -> "Size":
        """Return a size whose tasks are all async, so that no slot needs a thread."""
        return replace(self, tasks="tests.faults.async_tasks", threads=6)
