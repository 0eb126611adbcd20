"""The keys that log records about a job carry as ``extra``.

They are ``job_id``, ``tube``, ``func_name``, ``seconds``, ``outcome`` and ``error``;
what is not known is None. A failure has ``attempt``, too.
"""

import time

from jobqueue.broker.stats import JobStats
from jobqueue.job.decision import Decision, Ending
from jobqueue.task.definition import Task
from jobqueue.worker.running.executor import ReservedJob, Result

PUT_BACK = "put_back"


def keys_of_end(
    job: ReservedJob,
    seconds: float,
    ending: Ending | None,
    error: BaseException | None = None,
) -> dict[str, object]:
    """Return the keys for a job that has ended; ``outcome`` is that of the metrics."""
    task = job.task
    return {
        "job_id": job.id,
        "tube": task.tube if task else None,
        "func_name": task.func_name if task else None,
        "seconds": seconds,
        "outcome": ending.name.lower() if ending is not None else None,
        "error": type(error).__name__ if error is not None else None,
    }


def keys_of_running(
    job: ReservedJob,
    ending: Ending | None = None,
    error: BaseException | None = None,
) -> dict[str, object]:
    """Return the keys for a job that still runs."""
    return keys_of_end(job, time.monotonic() - job.began, ending, error)


def keys_of_failure(
    job: ReservedJob, result: Result, stats: JobStats, decision: Decision
) -> dict[str, object]:
    """Return the keys for a job that has failed."""
    keys = keys_of_end(job, result.seconds, decision.ending, decision.error)
    keys["outcome"] = keys["outcome"] or PUT_BACK
    return keys | {"tube": stats.tube, "attempt": stats.reserves}


def name_of(task: Task | None) -> str:
    """Return the task of a job as the log's messages name it."""
    return f"{task.func_name} (tube {task.tube})" if task else "no known task"
