"""The lines of the log about processes: the supervisor, its children, the metrics."""

from collections.abc import Mapping, Sequence

from jobqueue.worker.reporting.unfailing import list_jobs, logger, unfailing


@unfailing
def supervisor_started(processes: int, threads: int) -> None:
    """Log how many worker processes the supervisor is about to start."""
    logger.info(
        "Supervisor started: %d processes with %d %s each",
        processes,
        threads,
        "thread" if threads == 1 else "threads",
    )


@unfailing
def supervisor_stopping(processes: int, reason: str) -> None:
    """Log that the supervisor stops its processes, and why, as in "SIGTERM"."""
    logger.info("Stopping %d processes: %s", processes, reason)


@unfailing
def supervisor_stopped() -> None:
    """Log that all processes have ended."""
    logger.info("Supervisor stopped")


@unfailing
def process_died(
    number: int, pid: int, how: str, job_ids: Sequence[int], pause: float | None
) -> None:
    """Log that a process ended unexpectedly, and which jobs it was running.

    ``pause`` is the number of seconds until the supervisor starts another in its place;
    None if it starts none.
    """
    start = f"in {pause:g} s" if pause else "now"
    logger.error(
        "Process %d (pid %d) %s while it ran %s%s",
        number,
        pid,
        how,
        list_jobs(job_ids) or "no job",
        "" if pause is None else f"; another takes its place {start}",
        extra={"job_ids": list(job_ids)},
    )


@unfailing
def process_not_started(number: int, error: OSError, pause: float) -> None:
    """Log that the system refused to start a process, and when the next try is."""
    logger.error(
        "Process %d can't be started (%s): the next try is %s",
        number,
        error,
        f"in {pause:g} s" if pause else "now",
    )


@unfailing
def process_hung(
    number: int, pid: int, job_id: int, others: Sequence[int] = ()
) -> None:
    """Log that the supervisor kills a process in which a job lets no thread run.

    ``others`` are the jobs beside it, which are cut off, too.
    """
    also = f"; that also cuts off {list_jobs(others)}" if others else ""
    logger.error(
        "Process %d (pid %d) is killed: job %d has not ended long after its time "
        "limit, and nothing else in the process runs%s",
        number,
        pid,
        job_id,
        also,
        extra={"job_id": job_id},
    )


@unfailing
def processes_cut_off(running: Mapping[tuple[int, int], Sequence[int]]) -> None:
    """Log that the supervisor kills processes that do not end, and what they ran.

    ``running`` has the ids of the jobs of each process, by its number and pid.
    """
    for (number, pid), job_ids in running.items():
        logger.warning(
            "Process %d (pid %d) is killed, as it does not stop, while it runs %s",
            number,
            pid,
            list_jobs(job_ids) or "no job",
            extra={"job_ids": list(job_ids)},
        )


@unfailing
def metrics_are_served(host: str, port: int) -> None:
    """Log the URL of the metrics."""
    logger.info("Metrics are at http://%s:%d/metrics", host, port)


@unfailing
def health_is_served(host: str, port: int) -> None:
    """Log the URLs of the worker's health."""
    logger.info("Health is at http://%s:%d/healthz, and /readyz", host, port)


@unfailing
def request_failed(error: BaseException | None) -> None:
    """Log that a client did not get the metrics or the health that it asked for."""
    if isinstance(error, OSError):
        logger.debug("A client went away without its response: %s", error)
    else:
        logger.error("A request of HTTP can't be answered", exc_info=error)


@unfailing
def code_is_unusable(why: str) -> None:
    """Log why the application's code can't be used, and that it may yet change."""
    logger.error("%s. Waiting for a change of the code", why)


@unfailing
def code_has_changed(change: str) -> None:
    """Log that code that could not be used has changed: "app/tasks.py changed"."""
    logger.info("Trying again: %s", change)


@unfailing
def code_is_not_watched(error: Exception) -> None:
    """Log that changes of the code are noticed no more."""
    logger.error("The code is watched no more: start the worker anew (%s)", error)


@unfailing
def stuck_worker_ends(why: str) -> None:
    """Log that a worker has stopped because a job does not."""
    logger.warning("Worker stopped: %s", why)


@unfailing
def threads_left(names: Sequence[str]) -> None:
    """Log that the process ends although threads that tasks have started still run."""
    logger.warning("Not waiting any longer for threads: %s", ", ".join(names))


@unfailing
def threads_are_greenlets(library: str) -> None:
    """Log that the slots of this process are greenlets, and what that means."""
    logger.warning(
        "Monkey-patched: %s has replaced the threads of this process by greenlets. A "
        "job that computes for long or waits in C code holds up all other jobs of the "
        "process, the touches that keep them reserved, and a stop. If the tasks do "
        "not need the patch, keep it out of the modules that they import",
        library,
    )
