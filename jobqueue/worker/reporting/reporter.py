"""What a worker lets others count."""

import enum

from jobqueue.task.definition import Task
from jobqueue.worker.running.executor import Execution

UNKNOWN = "(unknown)"  # no Python function is called that


class Ending(enum.IntEnum):
    """How a job's run has ended."""

    DONE = 0
    RELEASED = 1
    BURIED = 2
    KICKS_REACH_MAX = 3  # deleted, though it failed
    LOST = 4  # no verdict reached the broker in time, and it may run twice


class Observer:
    """Is told what a worker does. This one takes no note of it.

    The methods are called from any thread, and must be quick and never fail.
    """

    def ended(self, ending: Ending, execution: Execution, tube: str = UNKNOWN) -> None:
        """Take note of a job that ran, or can't run; of no known task, its ``tube``."""

    def buried_while_it_runs(self, task: Task | None) -> None:
        """Take note of a verdict on a job that still runs, and has no other coming."""

    def broker_is_back(self) -> None:
        """Take note of a connection to the broker that was away."""


NOBODY = Observer()
