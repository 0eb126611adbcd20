"""A task: a decorated function, and where in the source it stands."""

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
    """The line of source that registered a task, and where its function is from."""

    file: str
    line: int
    loaded_as: "ModuleSpec | None"
    function: tuple[str, str]  # the file of its code, and its qualified name

    @classmethod
    def of(
        cls, frame: "FrameType", func: Callable[..., Any], code: "CodeType | None"
    ) -> "SourceLocation":
        """Return the place where a frame is now, as it registers a function."""
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
        """Tell whether a task from the other place is this place's task once more.

        It is when the same line ran again, and also when its file did: a module that
        was reloaded (perhaps edited), or that ran as ``__main__`` and was imported by
        its name after that, has another module spec. Two lines of one run of a file
        are two tasks, and so are two functions that a helper registers in one line.
        """
        return (self.file, self.function) == (other.file, other.function) and (
            self.line == other.line or self.loaded_as is not other.loaded_as
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Task(NamedTuple):
    """A decorated function, and what a worker has to know to run its jobs."""

    tube: str
    func_name: str
    func: Callable[..., Any]
    options: TaskOptions
    broker_url: str | None  # of its queue; None: of the environment, or the default
    around: "Sequence[Around]"  # the hooks of its queue, also those yet to come
    signing: Signing  # of its queue
    location: SourceLocation

    @property
    def policy(self) -> RetryPolicy:
        """When a failed job of this task is tried again, and when it is given up."""
        return self.options.policy

    @property
    def time_limit(self) -> float | None:
        """For how many seconds a job of this task may run; None: as its worker says."""
        return self.options.time_limit
