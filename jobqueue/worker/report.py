"""What a worker says in its log.

Every line about a job carries the keys ``job_id``, ``tube``, ``func_name`` and
``seconds`` as ``extra``; one that is not known is None.
"""

import logging
import traceback
from collections.abc import Sequence

from jobqueue.address import Address
from jobqueue.connection import ReservedJob
from jobqueue.errors import BadJobError, BrokerError, Bury
from jobqueue.outcome import Deleted, JobStats, Outcome
from jobqueue.subscriber import Task
from jobqueue.worker.execute import Execution

logger = logging.getLogger("jobqueue.worker")


def started(tubes: Sequence[str], tasks: Sequence[Task], address: Address) -> None:
    """Say what this worker works on, and for which broker."""
    logger.info(
        "Worker started: tubes %s; tasks %s; broker %s",
        ", ".join(tubes),
        ", ".join(task.func_name for task in tasks),
        address,
    )


def stopping(running: ReservedJob | None) -> None:
    """Say that the worker was told to stop, and what it waits for."""
    if running is None:
        logger.info("Stopping")
    else:
        logger.info("Stopping, as soon as job %d is finished", running.id)


def stopped() -> None:
    """Say that the worker has stopped."""
    logger.info("Worker stopped")


def abandoned(running: ReservedJob | None) -> None:
    """Say that the worker stops without waiting for its job any longer."""
    if running is not None:
        logger.warning(
            "Stopping without waiting for job %d: the broker makes it ready again, "
            "for another worker",
            running.id,
            extra={"job_id": running.id},
        )


def broker_is_away(error: BrokerError) -> None:
    """Say that there is no connection to the broker, once for each time it is lost."""
    logger.warning("Waiting for the broker: %s", error)


def broker_is_back(address: Address) -> None:
    """Say that there is a connection to the broker again."""
    logger.info("Connected to the broker at %s", address)


def broker_not_told(job: ReservedJob, execution: Execution) -> None:
    """Say that a job ended while the broker was out of reach."""
    ended = "failed" if execution.error else "was done"
    _warn(
        job, execution, f"it {ended}, but the broker was lost before it could be told"
    )


def reservation_lost(job: ReservedJob, execution: Execution) -> None:
    """Say that a job ended after its time to run, when it was not this worker's."""
    ended = "failed" if execution.error else "was done"
    _warn(job, execution, f"it {ended}, but was not reserved for this worker any more")


def settled(
    job: ReservedJob, execution: Execution, outcome: Outcome, stats: JobStats | None
) -> None:
    """Say what became of a job."""
    error = execution.error
    if error is None or stats is None:
        if logger.isEnabledFor(logging.INFO):
            logger.info(
                "Job %d done: %s in %.3f s",
                job.id,
                _name(execution),
                execution.seconds,
                extra=_extra(job, execution),
            )
        return
    if isinstance(outcome, Deleted):
        body = job.body.decode(errors="backslashreplace")
        verdict = f"deleted, {outcome.reason} ({stats.kicks})"
        lost = f". Its body was: {body}"
    else:
        verdict, lost = "buried", ""
    logger.error(
        "Job %d %s: %s%s",
        job.id,
        verdict,
        _why(execution, error, stats),
        lost,
        exc_info=None if isinstance(error, BadJobError) else error,
        extra=_extra(job, execution, stats),
    )


def _warn(job: ReservedJob, execution: Execution, what: str) -> None:
    logger.warning(
        "Job %d may run twice: %s (%s, after %.3f s)",
        job.id,
        what,
        _name(execution),
        execution.seconds,
        exc_info=execution.error,
        extra=_extra(job, execution),
    )


def _why(execution: Execution, error: BaseException, stats: JobStats) -> str:
    if isinstance(error, BadJobError):
        return f"it can't be run (tube {stats.tube}): {error}"
    after = f"{_name(execution)} after {execution.seconds:.3f} s"
    if isinstance(error, Bury):
        return f"by {after}, which said: {error}"
    # Not str(error): an exception's own __str__ may raise.
    text = "".join(traceback.format_exception_only(error))
    return f"{after}: {text.splitlines()[0]}"


def _name(execution: Execution) -> str:
    task = execution.task
    return f"{task.func_name} (tube {task.tube})" if task else "no known task"


def _extra(
    job: ReservedJob, execution: Execution, stats: JobStats | None = None
) -> dict[str, object]:
    task = execution.task
    return {
        "job_id": job.id,
        "tube": task.tube if task else stats.tube if stats else None,
        "func_name": task.func_name if task else None,
        "seconds": execution.seconds,
    }
