"""The command line: ``python -m jobqueue.worker``."""

import argparse
import atexit
import importlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Self

from jobqueue import JobQueueError, JobStuckError, Worker
from jobqueue.worker.arguments import make_parser
from jobqueue.worker.exits import call_with_timeout, exit_now, flush_output, is_blocked
from jobqueue.worker.forks import call_in_children
from jobqueue.worker.handover import hand_on, handed_on
from jobqueue.worker.processes.counter_pool import CounterPool
from jobqueue.worker.processes.leash import ParentWatch
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import SIGNALS, block_signals, notice, put_back
from jobqueue.worker.processes.status_board import StatusBoard, size_of_status_board
from jobqueue.worker.reporting import log_format, process_log
from jobqueue.worker.reporting.counters import SIZE, Memory
from jobqueue.worker.reporting.unfailing import one_line
from jobqueue.worker.slots.shutdown import StopReason
from jobqueue.worker.slots.slot_thread import THREAD_NAME

MODULE = "jobqueue.worker"
STDERR = 2  # the file descriptor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker as the command line says, and return the exit status."""
    _open_standard_files()
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = make_parser()
    options = parser.parse_args(arguments)
    log_format.configure(
        options.log_level.upper(),
        as_json=options.log_format == "json",
        in_several=options.processes > 1,
    )
    ending = _Ending()
    # For the time before and after the worker's own handlers: a process of pid 1 would
    # ignore signals.
    notice(exit_now)
    call_in_children(put_back)
    block_signals(block=False)
    shared: _Shared | None = None
    if options.supervised:
        shared = _Shared.opened(options)
    elif options.processes > 1:
        shared = _supervise(options, parser, arguments)
    return _work(options, parser, ending, shared)


@dataclass(frozen=True, slots=True)
class _Shared:
    """The memory that a process shares with its supervisor."""

    board: Memory
    tally: Memory | None

    @classmethod
    def opened(cls, options: argparse.Namespace) -> Self:
        """Return what was handed on to a process that was started afresh."""
        size = size_of_status_board(options.threads)
        tally = options.tally
        return cls(
            board=SharedMemory.open(options.supervised, size),
            tally=None if tally is None else SharedMemory.open(tally, SIZE),
        )


def _supervise(
    options: argparse.Namespace,
    parser: argparse.ArgumentParser,
    arguments: Sequence[str],
) -> _Shared:
    """Run several processes of this very command.

    Returns only in one that was forked, with what it shares with its supervisor.
    """
    # One process alone does without these.
    from jobqueue.worker.processes.child import Forked  # noqa: PLC0415
    from jobqueue.worker.processes.supervisor import Supervisor  # noqa: PLC0415

    tallies = None if options.metrics_port is None else CounterPool()
    supervisor = Supervisor(
        [*_python(), MODULE, *arguments],
        processes=options.processes,
        threads=options.threads,
        shutdown_timeout=options.shutdown_timeout,
        tallies=tallies,
    )
    if tallies is not None:
        _serve_metrics(options, parser, tallies.memories, supervisor.running)
    try:
        exit_now(supervisor.run())  # nothing of the app's is in this process
    except Forked as forked:
        tally = None if forked.tally is None else forked.tally.memory
        shared = _Shared(forked.board.memory, tally)
    block_signals(block=False)
    return shared


def _serve_metrics(
    options: argparse.Namespace,
    parser: argparse.ArgumentParser,
    memories: Callable[[], Iterable[Memory]],
    running: Callable[[], int],
    fd: int | None = None,
) -> int:
    """Serve what is counted in these memories, and return the port's descriptor.

    It may be one that is open already.
    """
    try:
        from jobqueue.worker import metrics  # noqa: PLC0415 - an extra
        from jobqueue.worker.reporting import metrics_server as metrics_port  # noqa: PLC0415 - an extra
    except ImportError as error:
        parser.error(
            f"metrics need an extra: pip install 'jobqueue[metrics]' ({error})"
        )
    host, port = options.metrics_host, options.metrics_port
    try:
        listening = metrics_port.listen(host, port, fd)
    except (OSError, ValueError) as error:  # ValueError: a host that can't be one
        parser.error(f"can't serve metrics at {host}:{port}: {error}")
    metrics_port.serve(listening, metrics.WorkerMetrics(memories, running))
    call_with_timeout(process_log.metrics_are_served, host, port)
    return listening.fileno()


def _python() -> list[str]:
    """Return how to run a module with this interpreter, and the options it has."""
    given = sys.orig_argv[1:]
    options = given[: given.index(MODULE)] if MODULE in given else ["-m"]
    return [sys.executable, *options]


def _open_standard_files() -> None:
    """Have files in the places of those that were closed when the process began.

    Else the connection to the broker may be number 1, and what is printed, commands.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(fd, True)  # noqa: FBT003 - positional only
    os.close(fd)


class _Ending:
    """How this process ends: for good, or so that another goes on under its pid."""

    def __init__(self) -> None:
        self.is_for_good = True
        self.last_step: Callable[[], object] = lambda: None  # before another goes on
        self._folder = _folder()
        atexit.register(self._go_on)  # what is registered first is called last

    def now(self) -> NoReturn:
        """End, whatever the threads do."""
        self._go_on()
        exit_now()

    def _go_on(self) -> None:
        if not self.is_for_good:
            flush_output()
            os.chdir(self._folder)
            self.last_step()
            block_signals(block=True)  # until the new one is ready for them
            # One that another thread gets, which a task has left, would be noted here
            # and forgotten with this program. Like this, it ends the process. (Only the
            # main thread may do it; where another comes here, that handles signals.)
            if threading.current_thread() is threading.main_thread():
                for signum in SIGNALS:
                    signal.signal(signum, signal.SIG_DFL)
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _work(
    options: argparse.Namespace,
    parser: argparse.ArgumentParser,
    ending: _Ending,
    shared: _Shared | None,
) -> int:
    """Work in this process, alone or under a supervisor."""
    leash = None if shared is None else ParentWatch(on_loss=exit_now)
    for module in options.modules:
        _import(module, parser)
    # A module that configures logging may have switched off the loggers from before.
    logging.getLogger("jobqueue.worker").disabled = False
    try:
        worker = Worker(
            options.tubes,
            url=options.url,
            threads=options.threads,
            burst=options.burst,
            max_jobs=options.max_jobs,
            time_limit=options.time_limit,
            shutdown_timeout=options.shutdown_timeout,
        )
    except JobQueueError as error:
        parser.error(str(error))
    if shared is not None and leash is not None:
        worker.manager.status_board = StatusBoard(options.threads, shared.board)
        leash.on_loss = lambda: worker.manager.request_stop(StopReason.SUPERVISOR)
        if shared.tally is not None:
            worker.manager.count_in(shared.tally)
    elif options.metrics_port is not None:
        _count_and_serve(worker, options, parser, ending)
    failure: JobQueueError | None = None
    try:
        worker.run()
    except JobQueueError as error:
        failure = error
    ending.is_for_good = leash is not None or not worker.manager.is_to_be_replaced
    if isinstance(failure, JobStuckError):
        call_with_timeout(process_log.stuck_worker_ends, str(failure))
        ending.now()
    if failure is not None:
        parser.error(str(failure))
    _end_threads(ending, options.shutdown_timeout)
    return 0


def _count_and_serve(
    worker: Worker,
    options: argparse.Namespace,
    parser: argparse.ArgumentParser,
    ending: _Ending,
) -> None:
    """Begin to count, or go on with it in the program that has replaced another."""
    port, counts = handed_on() or (None, None)
    shared = SharedMemory(SIZE, counts)
    worker.manager.count_in(shared.memory)
    port = _serve_metrics(
        options,
        parser,
        lambda: [shared.memory],
        worker.manager.status_board.count,
        port,
    )
    fds = [port, *shared.fds]
    ending.last_step = lambda: hand_on(fds)


def _end_threads(ending: _Ending, patience: float) -> None:
    """See to it that threads which tasks have left don't keep the process for ever.

    It is the interpreter that waits for them, for it knows how: it wakes thread pools,
    which would wait for work otherwise. But it waits for no longer than for a job.
    """
    current = threading.current_thread()
    left = [t for t in threading.enumerate() if not t.daemon and t is not current]
    # A slot may still wait for a connection, and for that nobody waits.
    tasks_own = [t for t in left if t.name != THREAD_NAME]

    def end_at_last() -> None:
        time.sleep(patience)
        names = [thread.name for thread in tasks_own if thread.is_alive()]
        call_with_timeout(process_log.threads_left, names)
        ending.now()

    if tasks_own:
        threading.Thread(target=end_at_last, daemon=True).start()
    elif left or is_blocked():
        ending.now()


def _import(module: str, parser: argparse.ArgumentParser) -> None:
    """Import a module; if that fails, say why and exit."""
    try:
        importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        logging.getLogger("jobqueue.worker").debug("Import failed", exc_info=True)
        if module.endswith(".py"):
            parser.error(f"can't import {module}: give the module's dotted name")
        parser.error(f"can't import {module}: {_cause(error)}")


def _folder() -> str:
    return os.getcwd()  # noqa: PTH109 - pathlib takes half a megabyte of memory


def _cause(error: BaseException) -> str:
    text = one_line(error)
    if isinstance(error, SyntaxError):
        return text
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.filename.startswith("<frozen importlib"):
        return f"{text} (looked for from {_folder()})"
    return f"{text} ({frame.filename}, line {frame.lineno})"


if __name__ == "__main__":
    sys.exit(main())
