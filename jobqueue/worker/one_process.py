"""The work of one process: import the tasks, run a worker, and end."""

import argparse
import functools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from jobqueue import JobQueueError, JobStuckError, Worker
from jobqueue.app_modules import AppImportError, import_module
from jobqueue.worker.exits import call_with_timeout, exit_now, is_blocked
from jobqueue.worker.processes.child import ParentLink
from jobqueue.worker.processes.parent_watch import ParentWatch
from jobqueue.worker.processes.status_board import ProcessState, StatusBoard
from jobqueue.worker.reporting import log_format, process_log
from jobqueue.worker.reporting.unfailing import logger, switch_on_log
from jobqueue.worker.slots.shutdown import StopReason
from jobqueue.worker.slots.slot_thread import THREAD_NAME
from jobqueue.worker.threads import NO_THREAD, reason_of, start_thread

if TYPE_CHECKING:
    from jobqueue.worker.reloading import Reloader

OnError = Callable[[str], NoReturn]


def work(options: argparse.Namespace, link: ParentLink, on_error: OnError) -> None:
    """Work as the command line says until the worker stops.

    Most of what can be wrong with a command line is found here, where the tasks are
    known; ``on_error`` prints it and exits.
    """
    try:
        parent_watch = ParentWatch(link.pipe, on_stop=lambda _: exit_now())
    except NO_THREAD as error:
        on_error(
            f"no thread can be started to watch the supervisor: {reason_of(error)}"
        )
    status_board = StatusBoard(
        options.threads,
        link.status,
        is_watched=options.metrics_port is not None or options.health_port is not None,
    )
    reloader = _reloader(options)
    try:
        worker = _make_worker(options)
    except JobQueueError as error:
        if reloader is not None:
            reloader.wait_out(error, then=lambda: _leave(status_board, link))
        on_error(str(error))
    try:
        worker.manager.status_board = status_board
        worker.manager.on_leaving = link.wake_supervisor
        if link.counters is not None:
            worker.manager.count_in(link.counters)
        is_in_time = parent_watch.pass_on_to(
            functools.partial(worker.manager.request_stop, StopReason.SUPERVISOR)
        )
        if not is_in_time:
            exit_now()  # as another thread is about to, however long its output blocks
        if reloader is not None:
            reloader.pass_on_to(
                functools.partial(worker.manager.request_stop, StopReason.RELOAD)
            )
        worker.run()
    except JobStuckError as error:
        call_with_timeout(process_log.stuck_worker_ends, str(error))
        exit_now()
    except JobQueueError as error:
        on_error(str(error))
    if reloader is not None:
        reloader.close()
    _end_threads(options.shutdown_timeout)


def _reloader(options: argparse.Namespace) -> "Reloader | None":
    """Return what watches the source files for ``--reload``, from now on."""
    if not options.reload:
        return None
    from jobqueue.worker.reloading import Reloader  # noqa: PLC0415 - an extra

    return Reloader(options.modules)


def _leave(status_board: StatusBoard, link: ParentLink) -> None:
    """Have the supervisor start another process in the place of this one."""
    status_board.state = ProcessState.LEAVING
    link.wake_supervisor()


def _make_worker(options: argparse.Namespace) -> Worker:
    """Import the application's modules, and make a worker for their tasks."""
    try:
        for module in options.modules:
            import_module(module)
    except AppImportError as error:
        logger.debug("Import failed", exc_info=error.__cause__)
        raise
    finally:
        log_format.complete()
        switch_on_log()
    return Worker(
        options.tubes,
        url=options.url,
        threads=options.threads,
        burst=options.burst,
        max_jobs=options.max_jobs,
        time_limit=options.time_limit,
        shutdown_timeout=options.shutdown_timeout,
        failures_kept=options.failures_kept,
    )


def _end_threads(patience: float) -> None:
    """End the process after ``patience`` seconds, whatever threads tasks have left.

    Until then the interpreter waits for them, as it knows how: it wakes up thread
    pools, which would wait for work otherwise.
    """
    current = threading.current_thread()
    left = [t for t in threading.enumerate() if not t.daemon and t is not current]
    # A slot may still wait for a connection, and for that nobody waits.
    tasks_own = [thread for thread in left if thread.name != THREAD_NAME]

    deadline = time.monotonic() + patience

    def end_at_last() -> None:
        time.sleep(max(0, deadline - time.monotonic()))
        names = [thread.name for thread in tasks_own if thread.is_alive()]
        call_with_timeout(process_log.threads_left, names)
        exit_now()

    if tasks_own:
        try:
            start_thread(end_at_last, name="jobqueue-end")
        except JobQueueError:  # wait here; a pool of idle threads takes all the time
            for thread in tasks_own:
                thread.join(max(0, deadline - time.monotonic()))
            if any(thread.is_alive() for thread in tasks_own):
                end_at_last()
            exit_now()
    elif left or is_blocked():
        exit_now()
