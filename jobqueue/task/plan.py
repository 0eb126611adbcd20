"""TaskPlan: what a decorator was told about a task, before it has the function."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Self

from jobqueue.broker.checks import check_tube
from jobqueue.errors import TaskDefinitionError
from jobqueue.task.options import TaskOptions

if TYPE_CHECKING:
    from jobqueue.schedule.schedule import Schedule


class TaskPlan(NamedTuple):
    """The tube of a task, its names and options, and its schedule if it is periodic.

    Without ``names``, it has that of its function.
    """

    tube: str
    names: tuple[str, ...]
    options: TaskOptions
    schedule: "Schedule | None"

    @classmethod
    def of(
        cls,
        tube: str,
        name: str | Iterable[str] | None,
        options: TaskOptions,
        schedule: "Schedule | None",
    ) -> Self:
        """Return a plan, with its names checked.

        Raises :class:`~jobqueue.errors.TubeNameError`,
        :class:`~jobqueue.errors.OptionError` for a ``name``, and
        :class:`~jobqueue.errors.TaskDefinitionError` for a decorator without a tube.
        """
        if callable(tube):
            raise TaskDefinitionError(
                'task needs the name of a tube, as in @queue.task("emails")'
            )
        names: tuple[str, ...] = ()
        if name is not None:
            from jobqueue.job.names import check_names  # noqa: PLC0415 - most have none

            names = check_names(name)
        return cls(check_tube(tube), names, options, schedule)


def periodic(
    every: float | timedelta | None,
    cron: str | None,
    tz: str | None,
    late: float | timedelta | None,
    *,
    pile_up: bool,
) -> "Schedule | None":
    """Return the schedule of a periodic task; None for any other task.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    if not pile_up and all(option is None for option in (every, cron, tz, late)):
        return None
    from jobqueue.schedule.schedule import schedule_of  # noqa: PLC0415 - most have none

    return schedule_of(every, cron, tz, late, pile_up=pile_up)
