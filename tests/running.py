"""Running a job without a broker."""

from collections.abc import Callable

from jobqueue.outcome import JobStats
from jobqueue.subscriber import Task
from jobqueue.worker.execute import Execution

Run = Callable[..., Execution]


class Reserved:
    """A job, with no broker behind it."""

    id = 7

    def __init__(self, body: bytes) -> None:
        self.body = body

    def touch(self) -> bool:
        return True

    def stats(self) -> JobStats | None:
        return JobStats(tube="t", priority=0, ttr=60, reserves=3, kicks=0)

    def begins(self, task: Task, time_limit: float | None) -> None: ...


class Running:
    """What was said of the jobs that ran."""

    def __init__(self) -> None:
        self.stuck: list[int] = []
