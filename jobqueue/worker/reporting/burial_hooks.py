"""Calls of the functions that queues want to have called when a job is buried."""

from collections.abc import Callable, Iterable

from jobqueue.errors import BadJobError, CrashLoopError, TimeLimitExceeded
from jobqueue.job.body import decode
from jobqueue.job.context import BuriedJob, OnBuried
from jobqueue.job.decision import FINAL, Decision, Ending
from jobqueue.task.definition import Task
from jobqueue.worker.reporting.reporter import Listener
from jobqueue.worker.reporting.unfailing import logger
from jobqueue.worker.running.executor import ReservedJob, Result


class BurialHooks(Listener):
    """Calls the hooks of a job's queue when it is buried, or deleted for its kicks.

    ``tasks_of`` returns the tasks of a tube. A job that names none of them, or is no
    job at all, belongs to all queues that have a task in its tube.
    """

    def __init__(self, tasks_of: Callable[[Iterable[str]], Iterable[Task]]) -> None:
        self._tasks_of = tasks_of

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        """Call the hooks for a job that was settled after it failed, or was refused."""
        if decision.ending not in FINAL:
            return
        error, stats = decision.error, decision.stats
        if error is not None and stats is not None:
            is_deleted = decision.ending is Ending.KICKS_REACH_MAX
            self._call(job, stats.tube, error, is_deleted=is_deleted)

    def job_stuck(self, job: ReservedJob, stack: str, *, is_buried: bool) -> None:
        """Call the hooks for a job that did not stop at its time limit."""
        if is_buried:
            first_line = "it did not stop at its time limit, and is here:\n"
            self._call_for_running(job, TimeLimitExceeded(first_line + stack))

    def job_buried_while_running(self, job: ReservedJob, error: CrashLoopError) -> None:
        """Call the hooks for a job that was buried before its last run."""
        self._call_for_running(job, error)

    def _call_for_running(self, job: ReservedJob, error: BaseException) -> None:
        if job.task is not None:
            self._call(job, job.task.tube, error)

    def _call(
        self,
        job: ReservedJob,
        tube: str,
        error: BaseException,
        *,
        is_deleted: bool = False,
    ) -> None:
        buried = _buried(job, tube, is_deleted=is_deleted)
        for hook in self._hooks(job, tube):
            try:
                hook(buried, error)
            except BaseException:  # noqa: BLE001 - it is the application's code
                logger.exception(
                    "A function that on_buried had called for job %d has failed",
                    job.id,
                    extra={"job_id": job.id},
                )

    def _hooks(self, job: ReservedJob, tube: str) -> list[OnBuried]:
        tasks = [job.task] if job.task else self._tasks_of([tube])
        of_queues = {id(task.on_buried): task.on_buried for task in tasks}
        return [hook for hooks in of_queues.values() for hook in hooks]


def _buried(job: ReservedJob, tube: str, *, is_deleted: bool) -> BuriedJob:
    try:
        message = decode(job.body)
    except BadJobError:
        message = None
    return BuriedJob(
        id=job.id,
        tube=tube,
        func_name=message.func_name if message else None,
        kwargs=message.kwargs if message else None,
        headers=message.headers if message else None,
        body=job.body,
        is_deleted=is_deleted,
    )
