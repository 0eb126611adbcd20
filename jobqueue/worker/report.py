"""What a worker says in its log.

Every line about a job carries the keys ``job_id``, ``tube``, ``func_name`` and
``seconds`` as ``extra``; one that is not known is None.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ParamSpec

from jobqueue.address import Address
from jobqueue.connection import ReservedJob
from jobqueue.errors import BadJobError, BrokerError
from jobqueue.outcome import KICKS_REACH_MAX, JobStats
from jobqueue.subscriber import Task
from jobqueue.worker.execute import Execution

P = ParamSpec("P")

logger = logging.getLogger("jobqueue.worker")


def _unfailing(say: Callable[P, None]) -> Callable[P, None]:
    """Make sure that a line which can't be logged doesn't end the worker.

    An exception of the task's may raise when it is shown, a handler may be broken, and
    a task may have closed the stream.
    """

    @functools.wraps(say)
    def say_or_go_on(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            say(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - anything: see above
            with suppress(Exception):
                logger.error(  # noqa: TRY400 - a traceback may be what can't be shown
                    "A line could not be logged (%s): %s",
                    type(error).__name__,
                    [arg.id for arg in args if isinstance(arg, ReservedJob)],
                )

    return say_or_go_on


@_unfailing
def started(tubes: Sequence[str], tasks: Sequence[Task], address: Address) -> None:
    """Say what this worker works on, and for which broker."""
    logger.info(
        "Worker started: tubes %s; tasks %s; broker %s",
        ", ".join(tubes),
        ", ".join(task.func_name for task in tasks),
        address,
    )


@_unfailing
def stopping(running: ReservedJob | None) -> None:
    """Say that the worker was told to stop, and what it waits for."""
    if running is None:
        logger.info("Stopping")
    else:
        logger.info("Stopping, as soon as job %d is finished", running.id)


@_unfailing
def stopped() -> None:
    """Say that the worker has stopped."""
    logger.info("Worker stopped")


@_unfailing
def abandoned(running: ReservedJob | None) -> None:
    """Say that the worker stops without waiting for its job any longer."""
    if running is not None:
        logger.warning(
            "Stopping without waiting for job %d: the broker makes it ready again, "
            "for another worker",
            running.id,
            extra={"job_id": running.id},
        )


@_unfailing
def threads_left(names: Sequence[str]) -> None:
    """Say that threads which tasks have started are ended with the process."""
    logger.warning("Not waiting any longer for threads: %s", ", ".join(names))


@_unfailing
def broker_is_away(error: BrokerError) -> None:
    """Say that there is no connection to the broker, once for each time it is lost."""
    logger.warning("Waiting for the broker: %s", error)


@_unfailing
def broker_is_back(address: Address) -> None:
    """Say that there is a connection to the broker again."""
    logger.info("Connected to the broker at %s", address)


@_unfailing
def broker_not_told(job: ReservedJob, execution: Execution) -> None:
    """Say that a job ended while the broker was out of reach."""
    ended = "failed" if execution.error is not None else "was done"
    _warn(
        job, execution, f"it {ended}, but the broker was lost before it could be told"
    )


@_unfailing
def reservation_lost(job: ReservedJob, execution: Execution) -> None:
    """Say that a job ended after its time to run, when it was not this worker's."""
    ended = "failed" if execution.error is not None else "was done"
    _warn(job, execution, f"it {ended}, but was not reserved for this worker any more")


@_unfailing
def done(job: ReservedJob, execution: Execution) -> None:
    """Say that a job is done."""
    if logger.isEnabledFor(logging.INFO):
        logger.info(
            "Job %d done: %s in %.3f s",
            job.id,
            _name(execution),
            execution.seconds,
            extra=_extra(job, execution),
        )


@_unfailing
def buried(
    job: ReservedJob, execution: Execution, error: BaseException, stats: JobStats
) -> None:
    """Say that a job was buried, and why."""
    logger.error(
        "Job %d buried: %s",
        job.id,
        _why(execution, error, stats),
        exc_info=None if isinstance(error, BadJobError) else error,
        extra=_extra(job, execution, stats),
    )


def deleting(
    job: ReservedJob, execution: Execution, error: BaseException, stats: JobStats
) -> bool:
    """Say that a failed job is about to be deleted, with its body.

    Returns False if nobody hears of it: then the body would be lost.
    """
    try:
        logger.error(
            "%s (%d): job %d is deleted: %s. Its body was: %s",
            KICKS_REACH_MAX,
            stats.kicks,
            job.id,
            _why(execution, error, stats),
            job.body.decode(errors="backslashreplace"),
            exc_info=error,
            extra=_extra(job, execution, stats),
        )
    except Exception:  # noqa: BLE001 - see _unfailing
        return False
    return logger.isEnabledFor(logging.ERROR)


def one_line(error: BaseException) -> str:
    """Return an error in one line, whatever its own code does."""
    name = type(error).__name__
    try:
        text = str(error).strip().partition("\n")[0]
    except Exception:  # noqa: BLE001 - it is the task's own code
        text = "(its text can't be shown)"
    return f"{name}: {text}" if text else name


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
    return f"{_name(execution)} after {execution.seconds:.3f} s: {one_line(error)}"


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
