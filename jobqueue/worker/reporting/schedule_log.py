"""The lines of the log about the schedules of periodic tasks."""

from datetime import UTC, datetime

from jobqueue.safe_text import error_of, one_line
from jobqueue.worker.reporting.unfailing import logger, unfailing

_ON_TIME = 2  # seconds: nothing is said about so little


@unfailing
def put(name: str, job_id: int, due: int, now: float) -> None:
    """Log that the job of a due time was put; ``now`` is the Unix time."""
    late = int(now - due)
    logger.info(
        "Schedule %s: put job %d, due at %s%s",
        name,
        job_id,
        _time(due),
        f", {late} s late" if late >= _ON_TIME else "",
        extra={"job_id": job_id, "schedule": name},
    )


@unfailing
def skipped_late(name: str, due: int, now: float) -> None:
    """Log that a due time was skipped, as it was too long ago."""
    logger.warning(
        "Schedule %s: no job for %s, which was %d s ago: more than its late= allows",
        name,
        _time(due),
        int(now - due),
        extra={"schedule": name},
    )


@unfailing
def skipped_waiting(name: str, due: int, job_id: int) -> None:
    """Log that no job was put, as the last one has not begun yet."""
    logger.info(
        "Schedule %s: no job for %s, as job %d of it is still waiting",
        name,
        _time(due),
        job_id,
        extra={"job_id": job_id, "schedule": name},
    )


@unfailing
def moved(name: str, due: int) -> None:
    """Log that the next due time was changed: the code or a clock has changed."""
    logger.info(
        "Schedule %s: is due at %s now, by this worker's code and clock",
        name,
        _time(due),
        extra={"schedule": name},
    )


@unfailing
def left(name: str, definition: str) -> None:
    """Log that the schedule is left to workers with another definition of it."""
    logger.info(
        "Schedule %s: left to a worker that has started later, whose code says %s",
        name,
        one_line(definition),
        extra={"schedule": name},
    )


@unfailing
def refused(name: str, why: str) -> None:
    """Log that the broker takes no job: the schedule waits for it."""
    logger.warning(
        "Schedule %s: its job is put later, as %s", name, why, extra={"schedule": name}
    )


@unfailing
def signed_anew(name: str, why: str) -> None:
    """Log that a tick was replaced by one that this worker's secret signs."""
    logger.warning(
        "Schedule %s: its tick is signed anew: %s", name, why, extra={"schedule": name}
    )


@unfailing
def bad_tick(tick_id: int, tube: str, why: str) -> None:
    """Log that a job in the tube of a schedule was deleted, as it does not hold it."""
    logger.warning(
        "Deleted job %d in %s, which holds the tick of a schedule: %s",
        tick_id,
        tube,
        why,
        extra={"job_id": tick_id, "tube": tube},
    )


@unfailing
def times_failed(name: str, error: Exception) -> None:
    """Log that due times could not be worked out: no job of this schedule is put."""
    logger.error(
        "Schedule %s: %s; it puts no job until that is mended",
        name,
        error_of(error),
        exc_info=error,
        extra={"schedule": name},
    )


@unfailing
def broker_too_old(version: str) -> None:
    """Log that the broker is older than schedules need."""
    logger.error(
        "Schedules need beanstalkd 1.12, and this is %s: due times may be missed, and "
        "a schedule that is changed in the code stays as it is",
        version,
    )


@unfailing
def keeper_failed(error: Exception) -> None:
    """Log a fault of the thread that keeps the schedules. It goes on."""
    logger.error("Schedules: %s; trying again", error_of(error), exc_info=error)


def _time(due: int) -> str:
    return datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
