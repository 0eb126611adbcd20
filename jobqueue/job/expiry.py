"""Expiry: a job that has waited for longer than its ``max_age`` is not run any more."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobqueue.broker.stats import JobStats


class Expired(Exception):  # noqa: N818 - a decision, like RunLater
    """Raised by the worker: delete this job, which is older than its ``max_age``."""

    def __init__(self, reason: str, /, stats: "JobStats") -> None:
        super().__init__(reason)
        self.stats = stats


def check_age(stats: "JobStats", of_task: int | None, of_job: float | None) -> None:
    """Raise :class:`Expired` for a job that is older than it may be when it begins.

    ``of_task`` is the task's ``max_age``, and ``of_job`` what the job itself carries,
    which counts before it and includes the job's delay. Without that, the delay is
    known as long as the job was not released. A job that was kicked never expires: an
    operator wants it to run.
    """
    max_age = of_task if of_job is None else of_job
    if max_age is None or stats.kicks:
        return
    age = stats.age
    if of_job is None and not stats.releases:
        age -= stats.delay
    if age > max_age:
        included = "" if of_job is None else ", its delay included,"
        reason = f"is {age} s old, and its max_age{included} is {max_age:g} s"
        raise Expired(reason, stats)
