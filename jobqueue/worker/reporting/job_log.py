"""What a worker says in its log.

Every line about a job carries the keys ``job_id``, ``tube``, ``func_name`` and
``seconds`` as ``extra``; one that is not known is None. A failure has ``attempt``, too.
"""

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from jobqueue.broker.address import Address
from jobqueue.broker.stats import JobStats
from jobqueue.errors import BadJobError, BrokerError, CrashLoopError
from jobqueue.job.outcome import KICKS_REACH_MAX, RetryPolicy
from jobqueue.task.definition import Task
from jobqueue.worker.reporting.unfailing import (
    list_jobs,
    logger,
    one_line,
    unfailing,
)
from jobqueue.worker.running.executor import Execution, ReservedBody
from jobqueue.worker.running.time_limit import GRACE
from jobqueue.worker.slots.reservation import Reservation


@unfailing
def started(
    tubes: Sequence[str],
    tasks: Sequence[Task],
    signed: Sequence[Task],
    address: Address,
) -> None:
    """Say what this worker works on, and whether jobs have to be signed."""
    condition = "; signed jobs only" if signed else ""
    if len(signed) < len(tasks) and signed:
        condition += f" of {_names(signed)}"
    logger.info(
        "Worker started: tubes %s; tasks %s; broker %s%s",
        ", ".join(tubes),
        _names(tasks),
        address,
        condition,
    )


@unfailing
def stopping(running: Sequence[int]) -> None:
    """Say that the worker stops, and which jobs it waits for."""
    if running:
        verb = "is" if len(running) == 1 else "are"
        logger.info("Stopping, as soon as %s %s finished", list_jobs(running), verb)
    else:
        logger.info("Stopping")


@unfailing
def stopped() -> None:
    """Say that the worker has stopped."""
    logger.info("Worker stopped")


@unfailing
def abandoned(running: Sequence[int]) -> None:
    """Say that the worker stops without waiting for its jobs any longer."""
    for job_id in running:
        logger.warning(
            "Stopping without waiting for job %d: the broker makes it ready again, "
            "for another worker",
            job_id,
            extra={"job_id": job_id},
        )


@unfailing
def jobs_are_enough(count: int) -> None:
    """Say that the worker has run as many jobs as it may."""
    logger.info("%d jobs have run: stopping, to be replaced", count)


@unfailing
def stuck(job: Reservation, stack: str, *, is_buried: bool) -> None:
    """Say that a job has not stopped at its time limit, and where it is."""
    logger.error(
        "Job %d %s: %s did not stop within %g s of its time limit, and only the end "
        "of its process stops it. It is here:\n%s",
        job.id,
        "buried" if is_buried else "could not be buried",
        _name(job.task),
        GRACE,
        stack,
        extra=_extra(job, job.task, time.monotonic() - job.began),
    )


@unfailing
def held_up(job: Reservation, stack: str) -> None:
    """Say that a job can't be told of its time limit, and what is in the way."""
    logger.error(
        "Job %d is held up: %s could not be interrupted within %g s of its time limit, "
        "since another job blocks the event loop. With the end of the process it is "
        "ready again. What blocks the loop is here:\n%s",
        job.id,
        _name(job.task),
        GRACE,
        stack,
        extra=_extra(job, job.task, time.monotonic() - job.began),
    )


@unfailing
def stuck_worker_ends(why: str) -> None:
    """Say that a worker has stopped because a job does not."""
    logger.warning("Worker stopped: %s", why)


@unfailing
def slot_failed(error: BaseException) -> None:
    """Say that a slot has failed, which is a fault of this library."""
    logger.critical("A slot of the worker has failed", exc_info=error)


@unfailing
def not_touched(job: Reservation, why: str) -> None:
    """Say that the heartbeat could not extend a job's time to run."""
    logger.warning(
        "Job %d may run twice: its time to run could not be extended, as %s (%s)",
        job.id,
        why,
        _name(job.task),
        extra=_extra(job, job.task, time.monotonic() - job.began),
    )


@unfailing
def threads_left(names: Sequence[str]) -> None:
    """Say that threads which tasks have started are ended with the process."""
    logger.warning("Not waiting any longer for threads: %s", ", ".join(names))


@unfailing
def broker_is_away(error: BrokerError) -> None:
    """Say that there is no connection to the broker, once for each time it is lost."""
    logger.warning("Waiting for the broker: %s", error)


@unfailing
def broker_is_back(address: Address) -> None:
    """Say that there is a connection to the broker again."""
    logger.info("Connected to the broker at %s", address)


@unfailing
def broker_not_told(job: ReservedBody, execution: Execution) -> None:
    """Say that a job ended while the broker was out of reach."""
    ended = "failed" if execution.error is not None else "was done"
    _warn(
        job, execution, f"it {ended}, but the broker was lost before it could be told"
    )


@unfailing
def reservation_lost(job: ReservedBody, execution: Execution) -> None:
    """Say that a job ended after its time to run, when it was not this worker's."""
    ended = "failed" if execution.error is not None else "was done"
    _warn(job, execution, f"it {ended}, but was not reserved for this worker any more")


@unfailing
def buried_while_it_runs(job: Reservation, error: CrashLoopError) -> None:
    """Say that a job was buried that should not have been run again."""
    logger.error(
        "Job %d buried while it runs: %s: %s. If it ends well after all, it is deleted",
        job.id,
        _name(job.task),
        error,
        extra=_extra(job, job.task, time.monotonic() - job.began),
    )


@unfailing
def ended_after_all(
    job: Reservation, execution: Execution, *, is_deleted: bool
) -> None:
    """Say that a job which was given up, and buried, has ended."""
    # One that was stuck has been said to have failed already.
    has_failed_now = job.is_doubted and execution.error is not None
    logger.log(
        logging.ERROR if has_failed_now else logging.INFO,
        "Job %d, which was buried while it ran, has ended%s: %s after %.3f s",
        job.id,
        " well and is deleted" if is_deleted else "",
        _name(execution.task),
        execution.seconds,
        exc_info=execution.error,
        extra=_extra(job, execution.task, execution.seconds),
    )


def done(job: ReservedBody, execution: Execution) -> None:
    """Say that a job is done."""
    if logger.isEnabledFor(logging.INFO):
        _done(job, execution)


@unfailing
def _done(job: ReservedBody, execution: Execution) -> None:
    logger.info(
        "Job %d done: %s in %.3f s",
        job.id,
        _name(execution.task),
        execution.seconds,
        extra=_extra(job, execution.task, execution.seconds),
    )


class Failure(NamedTuple):
    """A job that failed, and what is known of it."""

    job: ReservedBody
    execution: Execution
    error: BaseException
    stats: JobStats
    policy: RetryPolicy


@unfailing
def buried(failure: Failure) -> None:
    """Say that a job was buried, and why."""
    if isinstance(failure.error, BadJobError):
        how = f"it can't be run (tube {failure.stats.tube})"
        logger.error(
            "Job %d buried: %s: %s",
            failure.job.id,
            how,
            failure.error,
            extra=_extra_of(failure),
        )
    else:
        _failed(failure, "buried", "")


@unfailing
def put_back(failure: Failure) -> None:
    """Say that a job has not run now."""
    logger.info(
        "Job %d put back for a moment: %s was lost with its worker before, and so was "
        "another job that runs now; they run one after the other",
        failure.job.id,
        _name(failure.execution.task),
        extra=_extra_of(failure),
    )


@unfailing
def released(failure: Failure, delay: int) -> None:
    """Say that a job is to be tried again, and when."""
    retries = failure.policy.retries * failure.stats.allowances
    retry = f", retry {failure.stats.releases + 1} of {retries} in {delay} s"
    _failed(failure, "released", retry)


def _failed(failure: Failure, outcome: str, then: str) -> None:
    attempt = failure.stats.reserves
    logger.error(
        "Job %d %s after attempt %d of %d%s: %s",
        failure.job.id,
        outcome,
        attempt,
        attempt + failure.policy.retries_left(failure.stats),
        then,
        _why(failure),
        exc_info=failure.error,
        extra=_extra_of(failure),
    )
    logger.debug("The body of job %d: %s", failure.job.id, _body(failure.job))


def deleting(failure: Failure) -> bool:
    """Say that a failed job is about to be deleted, with its body.

    Returns False if nobody hears of it: then the body would be lost.
    """
    try:
        logger.error(
            "%s (%d): job %d is deleted: %s. Its body was: %s",
            KICKS_REACH_MAX,
            failure.stats.kicks,
            failure.job.id,
            _why(failure),
            _body(failure.job),
            exc_info=failure.error,
            extra=_extra_of(failure),
        )
    except BaseException:  # noqa: BLE001 - see unfailing
        return False
    return logger.isEnabledFor(logging.ERROR)


def _warn(job: ReservedBody, execution: Execution, what: str) -> None:
    logger.warning(
        "Job %d may run twice: %s (%s, after %.3f s)",
        job.id,
        what,
        _name(execution.task),
        execution.seconds,
        exc_info=execution.error,
        extra=_extra(job, execution.task, execution.seconds),
    )


def _why(failure: Failure) -> str:
    execution = failure.execution
    name = _name(execution.task)
    return f"{name} after {execution.seconds:.3f} s: {one_line(failure.error)}"


def _body(job: ReservedBody) -> str:
    return job.body.decode(errors="backslashreplace")


def _names(tasks: Sequence[Task]) -> str:
    return ", ".join(task.func_name for task in tasks)


def _name(task: Task | None) -> str:
    return f"{task.func_name} (tube {task.tube})" if task else "no known task"


def _extra(job: ReservedBody, task: Task | None, seconds: float) -> dict[str, object]:
    return {
        "job_id": job.id,
        "tube": task.tube if task else None,
        "func_name": task.func_name if task else None,
        "seconds": seconds,
    }


def _extra_of(failure: Failure) -> dict[str, object]:
    execution = failure.execution
    return _extra(failure.job, execution.task, execution.seconds) | {
        "tube": failure.stats.tube,
        "attempt": failure.stats.reserves,
    }
