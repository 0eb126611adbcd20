"""The registry of tasks: a map from tube and function name to the task.

The decorator enters each task when its module is imported. That happens in the
producer's process, where nothing reads the map, and in the worker's process, which
looks up there which function to call for a job. This is the whole trick of the library.
"""

import sys
from collections.abc import Callable, Collection, Iterable
from typing import Any

from jobqueue.errors import DuplicateTaskError
from jobqueue.task.definition import Task


class Subscriber:
    """The map tube -> function name -> task."""

    def __init__(self) -> None:
        self._tubes: dict[str, dict[str, Task]] = {}

    def register(self, task: Task) -> None:
        """Enter a task, in place of an earlier definition of the same function.

        Raises :class:`~jobqueue.errors.DuplicateTaskError` if the tube has a task of
        this name that is a different function: their jobs could not be told apart.
        """
        tasks = self._tubes.setdefault(task.tube, {})
        known = tasks.get(task.func_name)
        if known and not (
            known.func is task.func
            or known.location.is_same(task.location)
            or _is_interactive(task.func)
        ):
            raise DuplicateTaskError(
                f"two tasks are named {task.func_name!r} in tube {task.tube!r}: "
                f"one from {known.location}, one from {task.location}. "
                "Rename one, or give it another tube."
            )
        tasks[task.func_name] = task

    def find(self, tube: str, func_name: str) -> Task | None:
        """Return the task of that name in that tube, or None."""
        return self._tubes.get(tube, {}).get(func_name)

    def find_in(self, tubes: Collection[str]) -> Callable[[str, str], Task | None]:
        """Return a function like :meth:`find` that finds tasks of these tubes only."""

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
    """Return whether a function was typed at a prompt, where redefining is usual."""
    main = sys.modules["__main__"]
    return func.__module__ == "__main__" and not hasattr(main, "__file__")


subscriber = Subscriber()
