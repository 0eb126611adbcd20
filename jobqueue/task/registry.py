"""The registry of tasks: a map from tube and function name to the task.

The decorator enters each task when its module is imported. That happens in the
producer's process, where nothing reads the map, and in the worker's process, which
looks up there which function to call for a job. This is the whole trick of the library.
"""

import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from jobqueue.errors import DuplicateTaskError
from jobqueue.job.note_tubes import check_job_tube
from jobqueue.task.definition import Task
from jobqueue.task.source import Relation


class Version(Protocol):
    """An object that stands for a task, until a reload makes a newer one."""

    def _follow(self, newer: Any, /) -> None:  # noqa: ANN401 - of the same class
        """Become what the newer one is."""
        ...


class Subscriber:
    """The map tube -> function name -> task."""

    def __init__(self) -> None:
        self._tubes: dict[str, dict[str, Task]] = {}
        self._versions: dict[tuple[str, str], weakref.ref[Version]] = {}

    def register(self, task: Task, version: Version) -> None:
        """Enter a task, in place of an earlier definition of the same function.

        If a reload has made it anew, the earlier version follows this one: modules that
        have imported it by its name go on with the new code, as IPython's
        ``%autoreload`` has it for functions.

        Raises :class:`~jobqueue.errors.DuplicateTaskError` if the tube has a task of
        this name that is a different function: their jobs could not be told apart; and
        :class:`~jobqueue.errors.TubeNameError` for a tube that holds notes of failures.
        """
        check_job_tube(task.tube)
        tasks = self._tubes.setdefault(task.tube, {})
        for name in task.names:
            known = tasks.get(name)
            if known and _relation(task, known) is Relation.ANOTHER:
                raise DuplicateTaskError(_duplicate(name, task, known))
        for name in task.names:
            known = tasks.get(name)
            if known and known is not task:
                self._replace(known, task, version)
            tasks[name] = task
        self._versions[task.tube, task.func_name] = weakref.ref(version)

    def _replace(self, known: Task, task: Task, version: Version) -> None:
        """Forget an earlier definition of a task, by all of its names."""
        tasks = self._tubes[known.tube]
        for name in known.names:
            if name not in task.names and tasks.get(name) is known:
                del tasks[name]
        earlier = self._versions.pop((known.tube, known.func_name), None)
        if earlier and task.location.is_reload_of(known.location):
            of_known = earlier()
            if of_known is not None:
                of_known._follow(version)  # noqa: SLF001 - as Version has it

    def check_current(self, task: Task) -> None:
        """Raise DuplicateTaskError if a worker would call another task's function.

        That is so if the lines that made the task have made another one since then: a
        factory may run again, but the jobs of its two tasks could not be told apart. A
        task that an edit of its source has replaced is still that task.
        """
        tasks = self._tubes.get(task.tube)
        current = None if tasks is None else tasks.get(task.func_name)
        if current is task:  # as for nearly every put
            return
        if current and _relation(current, task) is not Relation.RUN_AGAIN:
            raise DuplicateTaskError(
                f"{task.func_name}() can't be put: {current.location} has made another "
                f"task of its name in tube {task.tube!r}, which a worker would run. "
                f"Put that one; or, to have both, {_REMEDY}."
            )

    def find(self, tube: str, func_name: str) -> Task | None:
        """Return the task of that name in that tube, or None."""
        return self._tubes.get(tube, {}).get(func_name)

    def putter(self, tube: str, func_name: str) -> Version | None:
        """Return what the decorator has made of that task; None if nothing has it."""
        task = self.find(tube, func_name)
        version = self._versions.get((tube, task.func_name)) if task else None
        return None if version is None else version()

    def find_in(self, tubes: Collection[str]) -> Callable[[str, str], Task | None]:
        """Return a function like :meth:`find` that finds tasks of these tubes only."""
        watched = frozenset(tubes)  # there may be a thousand

        def find(tube: str, func_name: str) -> Task | None:
            return self.find(tube, func_name) if tube in watched else None

        return find

    def tubes(self) -> list[str]:
        """Return the tubes that have tasks, in order of registration."""
        return list(self._tubes)

    def tasks(self, tubes: Iterable[str]) -> list[Task]:
        """Return the tasks of these tubes."""
        return [
            task
            for tube in tubes
            for name, task in self._tubes.get(tube, {}).items()
            if name == task.func_name
        ]


def _relation(task: Task, earlier: Task) -> Relation:
    if task.func is earlier.func:
        return Relation.RUN_AGAIN
    return task.location.relation_to(earlier.location)


_REMEDY = "give each its own name (its __name__, or name=) or its own tube"


def _duplicate(name: str, task: Task, known: Task) -> str:
    two = f"two tasks are named {name!r} in tube {task.tube!r}"
    if str(task.location) == str(known.location):
        return f"{two}, both from {task.location}: {_REMEDY}."
    return (
        f"{two}: one from {known.location}, one from {task.location}. "
        "Rename one, or give it another tube."
    )


subscriber = Subscriber()
