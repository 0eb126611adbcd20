"""Running a job without a broker."""

import time
from collections.abc import Callable

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.task.definition import Task
from jobqueue.worker.running.executor import Execution, ReservedBody


def stats(**counts: int) -> JobStats:
    """Return what the broker may count of a reserved job of tube "t"."""
    some = {
        "id": 7,
        "priority": 7,
        "age": 0,
        "delay": 0,
        "ttr": 60,
        "time_left": 60,
        "timeouts": 0,
        "releases": 0,
        "buries": 0,
        "kicks": 0,
    }
    at_least = 1 + counts.get("releases", 0) + counts.get("buries", 0)
    numbers = some | {"reserves": at_least} | counts
    return JobStats(tube="t", state=JobState.RESERVED, **numbers)


Run = Callable[..., Execution]


class Reserved:
    """A job, with no broker behind it."""

    id = 7

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.began = time.monotonic()

    def touch(self) -> bool:
        return True

    def stats(self) -> JobStats | None:
        return stats(reserves=3)

    def begins(self, task: Task) -> None: ...

    def limit(self, seconds: float | None) -> None: ...


class Running:
    """What was said of the jobs that ran."""

    def __init__(self) -> None:
        self.stuck: list[ReservedBody] = []
