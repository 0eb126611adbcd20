"""Task: a decorated function with its options, and its place in the source."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jobqueue.job.outcome import RetryPolicy
from jobqueue.job.signing import Signing
from jobqueue.task.options import TaskOptions

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, FrameType

    from jobqueue.job.context import Around


class SourceLocation(NamedTuple):
    """The line that registered a task, and the origin of the task's function."""

    file: str
    line: int
    loaded_as: "ModuleSpec | None"
    function: tuple[str, str]  # the file of its code, and its qualified name

    @classmethod
    def of(
        cls, frame: "FrameType", func: Callable[..., Any], code: "CodeType | None"
    ) -> "SourceLocation":
        """Return the line at which a frame is now, with the origin of a function."""
        return cls(
            file=os.path.realpath(frame.f_code.co_filename),
            line=frame.f_lineno,
            loaded_as=frame.f_globals.get("__spec__"),
            function=(
                os.path.realpath(code.co_filename) if code else "",
                str(getattr(func, "__qualname__", "")),
            ),
        )

    def is_same(self, other: "SourceLocation") -> bool:
        """Return whether a task from the other location is this location's task again.

        True if the same line has run again, or the whole file has. A file has run again
        if its module spec is another one: the module was reloaded (perhaps edited), or
        it ran as ``__main__`` and was then imported by its name. Two lines of a file
        that ran once are two tasks, and so are two functions that a helper registers in
        one line.
        """
        return (self.file, self.function) == (other.file, other.function) and (
            self.line == other.line or self.loaded_as is not other.loaded_as
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Task(NamedTuple):
    """A decorated function, with all that a worker needs to run its jobs."""

    tube: str
    func_name: str
    func: Callable[..., Any]
    options: TaskOptions
    broker_url: str | None  # of its queue; None: the environment's, or the default
    around: "Sequence[Around]"  # the queue's own list of hooks, which may grow
    signing: Signing  # of its queue
    location: SourceLocation

    @property
    def policy(self) -> RetryPolicy:
        """When a failed job of this task is tried again, and when it is given up."""
        return self.options.policy

    @property
    def time_limit(self) -> float | None:
        """How many seconds a job of this task may run; None: the worker decides."""
        return self.options.time_limit
