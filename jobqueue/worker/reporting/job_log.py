"""The worker's log about jobs, slots and the broker."""

import logging
from collections.abc import Sequence

from jobqueue.broker.address import Address
from jobqueue.broker.dropped_body import DroppedBody
from jobqueue.broker.settlement import Released
from jobqueue.errors import BadJobError, BrokerError, CrashLoopError, TimeLimitExceeded
from jobqueue.job.decision import SUCCEEDED, Decision, Ending
from jobqueue.job.outcome import KICKS_REACH_MAX, RunLater
from jobqueue.safe_text import body_line, error_of, text_of
from jobqueue.task.definition import Task
from jobqueue.worker.reporting.done_records import DoneRecords
from jobqueue.worker.reporting.log_keys import (
    keys_of_end,
    keys_of_failure,
    keys_of_running,
    name_of,
)
from jobqueue.worker.reporting.reporter import Listener
from jobqueue.worker.reporting.unfailing import list_jobs, logger
from jobqueue.worker.reporting.written_log import log_if_written
from jobqueue.worker.running.executor import ReservedJob, Result


class JobLog(Listener):
    """Writes a line to the log at each event.

    ``grace`` is how many seconds a job may go on after its time limit.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._done_records = DoneRecords()

    def worker_started(
        self,
        tubes: Sequence[str],
        tasks: Sequence[Task],
        signed: Sequence[Task],
        address: Address,
    ) -> None:
        """Log the worker's tubes, tasks and broker, and which jobs must be signed."""
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

    def worker_quiet(self, reason: str, running: Sequence[int]) -> None:
        """Log why the worker takes no more jobs, and which jobs it finishes."""
        running_on = f", and finishes {list_jobs(running)}" if running else ""
        logger.info("Quiet: takes no more jobs%s: %s", running_on, reason)

    def worker_stopping(self, reason: str, running: Sequence[int]) -> None:
        """Log why the worker stops, and which jobs it waits for."""
        if running:
            verb = "is" if len(running) == 1 else "are"
            jobs = list_jobs(running)
            logger.info("Stopping, as soon as %s %s finished: %s", jobs, verb, reason)
        else:
            logger.info("Stopping: %s", reason)

    def jobs_abandoned(self, reason: str, running: Sequence[int]) -> None:
        """Log that the worker stops without waiting for a job that still runs."""
        for job_id in running:
            logger.warning(
                "Stopping without waiting for job %d, which the broker makes ready "
                "again for another worker: %s",
                job_id,
                reason,
                extra={"job_id": job_id},
            )

    def worker_stopped(self) -> None:
        """Log that the worker has stopped."""
        logger.info("Worker stopped")

    def slot_failed(self, error: BaseException) -> None:
        """Log a fault of this library, with its traceback."""
        logger.critical("A slot of the worker has failed", exc_info=error)

    def broker_lost(self, error: BrokerError) -> None:
        """Log that the worker waits for the broker, and why."""
        logger.warning("Waiting for the broker: %s", text_of(error))

    def broker_found(self, address: Address) -> None:
        """Log that the broker is there again."""
        logger.info("Connected to the broker at %s", address)

    def notes_fail(self, why: str) -> None:
        """Log that notes of failures can't be kept in the broker, and why."""
        logger.warning(
            "A note of a failure, which `jobqueue failures` would show, could not be "
            "put or deleted in the broker: %s. Jobs are settled all the same. Further "
            "failures for this cause are not logged",
            why,
        )

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        """Log what became of a job, with a failure's traceback."""
        if decision is SUCCEEDED:  # the usual case, and faster than the match below
            if logger.isEnabledFor(logging.INFO):
                logger.handle(self._done_records.of(job, result.seconds))
            return
        match decision.ending:
            case Ending.LOST:
                _log_lost(job, result, decision.error)
            case Ending.RELEASED | Ending.BURIED:
                _log_failed(job, result, decision)
            case None:
                _log_put_back(job, result, decision)
            case Ending.EXPIRED:
                _log_expired(job, result, decision)
            case Ending.KICKS_REACH_MAX:
                pass  # logged before it was deleted: see keep_body

    def keep_body(self, job: ReservedJob, result: Result, decision: Decision) -> bool:
        """Log the body of a job to be deleted; return whether it was written."""
        if decision.error is None or decision.stats is None:
            return False
        if isinstance(job.body, DroppedBody):
            return False
        return log_if_written(
            "%s (%d): job %d is deleted: %s. Its body was: %s",
            KICKS_REACH_MAX,
            decision.stats.kicks,
            job.id,
            _why(job, result, decision.error),
            body_line(job.body),
            error=decision.error,
            extra=keys_of_failure(job, result, decision.stats, decision),
        )

    def job_not_touched(self, job: ReservedJob, why: str) -> None:
        """Log that the heartbeat could not extend a job's time to run."""
        logger.warning(
            "Job %d may run twice: its time to run could not be extended, as %s (%s)",
            job.id,
            why,
            name_of(job.task),
            extra=keys_of_running(job),
        )

    def job_stuck(self, job: ReservedJob, stack: str, *, is_buried: bool) -> None:
        """Log that a job has not stopped at its time limit, and its stack."""
        ending = Ending.BURIED if is_buried else None
        logger.error(
            "Job %d %s: %s did not stop within %g s of its time limit, and only the "
            "end of its process stops it. It is here:\n%s",
            job.id,
            "buried" if is_buried else "could not be buried",
            name_of(job.task),
            self._grace,
            stack,
            extra=keys_of_running(job, ending, TimeLimitExceeded()),
        )

    def job_held_up(self, job: ReservedJob, stack: str) -> None:
        """Log that a job can't be interrupted, and the stack of the code in its way."""
        logger.error(
            "Job %d is held up: %s could not be interrupted within %g s of its time "
            "limit, since another job blocks the event loop. It is ready again when "
            "the process ends. What blocks the loop is here:\n%s",
            job.id,
            name_of(job.task),
            self._grace,
            stack,
            extra=keys_of_running(job),
        )

    def job_buried_while_running(self, job: ReservedJob, error: CrashLoopError) -> None:
        """Log that a running job was buried, as its workers were lost before."""
        logger.error(
            "Job %d buried while it runs: %s: %s. If it succeeds after all, it is "
            "deleted",
            job.id,
            name_of(job.task),
            error,
            extra=keys_of_running(job, Ending.BURIED, error),
        )

    def buried_job_ended(
        self, job: ReservedJob, result: Result, *, is_doubted: bool, is_deleted: bool
    ) -> None:
        """Log the end of a job that was buried while it ran."""
        # A stuck job was logged as a failure when it was buried.
        has_failed_now = is_doubted and result.error is not None
        ending = Ending.DONE if is_deleted else Ending.BURIED
        logger.log(
            logging.ERROR if has_failed_now else logging.INFO,
            "Job %d, which was buried while it ran, has ended%s: %s after %.3f s",
            job.id,
            " well and is deleted" if is_deleted else "",
            name_of(job.task),
            result.seconds,
            exc_info=result.error,
            extra=keys_of_end(job, result.seconds, ending, result.error),
        )


def _log_lost(job: ReservedJob, result: Result, error: BaseException | None) -> None:
    ended = "succeeded" if result.error is None else "failed"
    verb = "deleted" if result.error is None else "settled"
    if not result.has_run:
        text = "Job %d did not run: %s (%s, after %.3f s)"
        why = "it is not reserved for this worker any more"
    elif error is not None:
        text = "Job %d may run twice: %s (%s, after %.3f s)"
        why = f"it {ended}, but the broker was lost before it could be {verb}"
    else:
        text = "Job %d may run twice: %s (%s, after %.3f s)"
        why = f"it {ended}, but was not reserved for this worker any more"
    logger.warning(
        text,
        job.id,
        why,
        name_of(job.task),
        result.seconds,
        exc_info=result.error if result.has_run else None,
        extra=keys_of_end(job, result.seconds, Ending.LOST, result.error),
    )


def _log_expired(job: ReservedJob, result: Result, decision: Decision) -> None:
    if decision.stats is not None:
        logger.warning(
            "Job %d expired and is deleted: %s %s. Its body was: %s",
            job.id,
            name_of(job.task),
            decision.error,
            body_line(job.body),
            extra=keys_of_failure(
                job, result, decision.stats, decision._replace(error=None)
            ),
        )


def _log_put_back(job: ReservedJob, result: Result, decision: Decision) -> None:
    error, stats = decision.error, decision.stats
    if error is None or stats is None:
        return
    extra = keys_of_failure(job, result, stats, decision)
    if isinstance(error, RunLater):
        level = logging.WARNING if error.is_fault else logging.INFO
        text = "Job %d put back for a moment: %s %s"
        logger.log(level, text, job.id, name_of(job.task), error, extra=extra)
    else:
        text = "Job %d put back, as the stop's signal may have made it fail: %s"
        why = _why(job, result, error)
        logger.warning(text, job.id, why, exc_info=error, extra=extra)


def _log_failed(job: ReservedJob, result: Result, decision: Decision) -> None:
    error, stats, policy = decision.error, decision.stats, decision.policy
    if error is None or stats is None:
        return
    extra = keys_of_failure(job, result, stats, decision)
    if isinstance(error, BadJobError):
        how = f"it can't be run (tube {stats.tube})"
        why = text_of(error)
        logger.error("Job %d buried: %s: %s", job.id, how, why, extra=extra)
        return
    level, then = logging.ERROR, ""
    if isinstance(decision.outcome, Released):
        level = logging.WARNING
        retries = policy.retries * stats.allowances
        delay = decision.outcome.delay
        then = f", retry {stats.releases + 1} of {retries} in {delay} s"
    logger.log(
        level,
        "Job %d %s after attempt %d of %d%s: %s",
        job.id,
        "released" if then else "buried",
        stats.reserves,
        stats.reserves + policy.retries_left(stats),
        then,
        _why(job, result, error),
        exc_info=error,
        extra=extra,
    )
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("The body of job %d: %s", job.id, body_line(job.body))


def _why(job: ReservedJob, result: Result, error: BaseException) -> str:
    return f"{name_of(job.task)} after {result.seconds:.3f} s: {error_of(error)}"


def _names(tasks: Sequence[Task]) -> str:
    return ", ".join(task.func_name for task in tasks)
