"""The map from a tube and a function's name to the task registered there.

Decorators fill it when their module is imported: in the producer's process, where
nobody reads it, and in the worker's, where it says what to call. That is the whole
trick of the library.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jobqueue.errors import DuplicateTaskError
from jobqueue.job.outcome import RetryPolicy
from jobqueue.job.signing import Signing

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
    broker_url: str | None  # of the queue that it belongs to; None: the default one
    policy: RetryPolicy
    time_limit: float | None  # seconds
    around: "Sequence[Around]"  # the hooks of its queue, also those yet to come
    signing: Signing  # of its queue
    place: SourceLocation


class Subscriber:
    """The map tube -> function name -> task."""

    def __init__(self) -> None:
        self._tubes: dict[str, dict[str, Task]] = {}

    def register(self, task: Task) -> None:
        """Enter a task; the same function seen again replaces what it was before.

        Raises :class:`~jobqueue.errors.DuplicateTaskError` for another function of a
        name that the tube has already: its jobs could not be told apart.
        """
        tasks = self._tubes.setdefault(task.tube, {})
        known = tasks.get(task.func_name)
        if known and not (
            known.func is task.func
            or known.place.is_same(task.place)
            or _is_interactive(task.func)
        ):
            raise DuplicateTaskError(
                f"two tasks are named {task.func_name!r} in tube {task.tube!r}: "
                f"one from {known.place}, one from {task.place}. "
                "Rename one, or give it another tube."
            )
        tasks[task.func_name] = task

    def find(self, tube: str, func_name: str) -> Task | None:
        """Return the task of that name in that tube, or None."""
        return self._tubes.get(tube, {}).get(func_name)

    def find_in(self, tubes: Collection[str]) -> Callable[[str, str], Task | None]:
        """Return a :meth:`find` that knows these tubes only."""

        def find(tube: str, func_name: str) -> Task | None:
            return self.find(tube, func_name) if tube in tubes else None

        return find

    def tubes(self) -> list[str]:
        """Return the tubes that have tasks, in order of registration."""
        return list(self._tubes)

    def tasks(self, tubes: Iterable[str]) -> list[Task]:
        """Return the tasks of these tubes."""
        return [task for tube in tubes for task in self._tubes.get(tube, {}).values()]


def _is_interactive(func: Callable[..., Any]) -> bool:
    """Tell whether a function was typed at a prompt, where one is often redefined."""
    main = sys.modules["__main__"]
    return func.__module__ == "__main__" and not hasattr(main, "__file__")


subscriber = Subscriber()
