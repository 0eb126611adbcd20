"""The command line: ``jobqueue worker``, or ``python -m jobqueue.worker``.

A supervisor runs the worker processes, of which there is one by default.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobqueue.command_line import CommandLineParser
from jobqueue.errors import JobQueueError
from jobqueue.standard_streams import open_closed
from jobqueue.worker import one_process
from jobqueue.worker.arguments import make_parser
from jobqueue.worker.exits import exit_now
from jobqueue.worker.forks import call_in_children
from jobqueue.worker.processes.child import (
    Forked,
    ParentLink,
    empty_stdin,
    leave_group,
)
from jobqueue.worker.processes.counter_pool import CounterPool
from jobqueue.worker.processes.signals import (
    QUIET_SIGNAL,
    block_quiet_signal,
    handle_signals,
    restore_original_handlers,
    unblock_signals,
)
from jobqueue.worker.processes.spawn_command import SpawnCommand
from jobqueue.worker.processes.supervisor import Supervisor
from jobqueue.worker.reporting import log_format

if TYPE_CHECKING:
    from jobqueue.worker.reporting.log_lock import LogLock

MODULE = ["jobqueue.worker"]  # what follows `python -m`
COMMAND = ["jobqueue", "worker"]  # the same, and the words of the command


def main(
    arguments: Sequence[str] | None = None, started_as: Sequence[str] = MODULE
) -> int:
    """Run a worker as the command line says, and return the exit status.

    ``started_as`` are the words before the ``arguments``: ``MODULE`` or ``COMMAND``.
    """
    block_quiet_signal()  # until the first process is started: see child.py
    # Else the connection to the broker may get number 1, and what is printed would be
    # sent to the broker as commands.
    open_closed()
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = make_parser(
        " ".join(COMMAND if started_as is COMMAND else ["python -m", *MODULE])
    )
    options = parser.parse_args(arguments)
    if options.reload:
        _check_reload(parser)
    log_lock = _make_log_lock(options.log_lock, for_several=options.processes > 1)
    log_format.configure(
        options.log_level.upper(),
        as_json=options.log_format == "json",
        in_several=options.processes > 1,
        lock=log_lock,
    )
    # For the time before and after the supervisor's and the worker's own handlers: the
    # kernel would drop a signal without a handler to a process of pid 1.
    handle_signals(lambda signum: signum == QUIET_SIGNAL or exit_now())
    call_in_children(restore_original_handlers)
    if options.supervised is None:
        link = _supervise(
            options, parser, _command([*started_as, *arguments], log_lock)
        )
    else:
        link = ParentLink.of_spawned(
            options.supervised, options.counters, options.parent_pipe, options.threads
        )
    if options.processes > 1:
        empty_stdin()
    leave_group()
    unblock_signals()  # they were blocked when this child was started
    one_process.work(options, link, on_error=parser.error)
    return 0


def _supervise(
    options: argparse.Namespace, parser: CommandLineParser, command: SpawnCommand
) -> ParentLink:
    """Run the processes and exit; it returns in each process that was forked."""
    counter_pool = None if options.metrics_port is None else CounterPool()
    supervisor = Supervisor(
        command,
        processes=options.processes,
        threads=options.threads,
        shutdown_timeout=options.shutdown_timeout,
        counter_pool=counter_pool,
    )
    if options.metrics_port is not None or options.health_port is not None:
        from jobqueue.worker import ports  # noqa: PLC0415 - few workers have one

        ports.serve(options, parser.error, counter_pool, supervisor.health)
    try:
        exit_now(supervisor.run())  # nothing of the app's is in this process
    except Forked as forked:
        return forked.link
    except JobQueueError as error:
        parser.error(str(error))


def _check_reload(parser: CommandLineParser) -> None:
    """Exit if the extra is missing that each process needs."""
    import importlib.util  # noqa: PLC0415 - most workers do without

    if importlib.util.find_spec("watchfiles") is None:
        parser.error("--reload needs an extra: pip install 'jobqueue[reload]'")


def _make_log_lock(fd: int | None, *, for_several: bool) -> "LogLock | None":
    if sys.platform == "win32":  # it has no locks of this kind
        return None
    from jobqueue.worker.reporting.log_lock import LogLock  # noqa: PLC0415 - see above

    return LogLock(fd, for_several=for_several)


def _command(words: Sequence[str], log_lock: "LogLock | None") -> SpawnCommand:
    """Return how to start the same command once more, to run a process.

    ``words`` are those after ``python -m``.
    """
    command = [sys.executable, *_python_options(words[0]), "-m", *words]
    if log_lock is None:
        return SpawnCommand(command)
    return SpawnCommand([*command, f"--log-lock={log_lock.fd}"], [log_lock.fd])


def _python_options(module: str) -> list[str]:
    """Return the options that Python was given, such as ``-X dev``."""
    given = sys.orig_argv[1:]
    for script in (module, sys.argv[0]):
        if script in given:
            options = given[: given.index(script)]
            return options[:-1] if options[-1:] == ["-m"] else options
    return []


if __name__ == "__main__":
    sys.exit(main())
