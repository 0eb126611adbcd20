"""The command line: ``python -m jobqueue.worker``."""

import argparse
import importlib
import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jobqueue import JobQueueError, Worker, __version__
from jobqueue.worker import (
    MAX_SHUTDOWN_TIMEOUT,
    SHUTDOWN_TIMEOUT,
    exit_now,
    report,
)
from jobqueue.worker.signals import briefly

EXAMPLE = """\
example:
  python -m jobqueue.worker --tube emails --tube reports --import app.tasks

SIGTERM and SIGINT (Ctrl-C) stop the worker when the running job is finished.
Exit status: 0 when it was stopped, 2 when it could not start.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker as the command line says, and return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=options.log_level.upper(),
        format="%(asctime)s %(levelname)s %(message)s",
    )
    for module in options.modules:
        _import(module, parser)
    # A module that configures logging may have switched off the loggers from before.
    logging.getLogger("jobqueue.worker").disabled = False
    try:
        worker = Worker(
            options.tubes,
            url=options.url,
            burst=options.burst,
            shutdown_timeout=options.shutdown_timeout,
        )
    except JobQueueError as error:
        parser.error(str(error))
    worker.run()
    _end_threads(options.shutdown_timeout)
    return 0


def _end_threads(patience: float) -> None:
    """Wait for threads that tasks have left, but for no longer than for a job."""
    deadline = time.monotonic() + patience
    own = threading.current_thread()
    left = [t for t in threading.enumerate() if not t.daemon and t is not own]
    for thread in left:
        thread.join(max(0, deadline - time.monotonic()))
    names = [thread.name for thread in left if thread.is_alive()]
    if names:
        briefly(report.threads_left, names)
        exit_now()


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m jobqueue.worker",
        description="Work off the jobs of beanstalkd tubes.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--tube",
        action="append",
        default=[],
        dest="tubes",
        metavar="NAME",
        help="a tube to work off; repeatable (default: all that have tasks)",
    )
    add(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help="a module with tasks, as in app.tasks; repeatable",
    )
    add(
        "--url",
        help="the broker (default: that of the tasks' queue; $BEANSTALKD_URL "
        "or beanstalkd://127.0.0.1:11300 if it names none)",
    )
    add("--burst", action="store_true", help="stop as soon as no job is ready")
    add(
        "--shutdown-timeout",
        type=_seconds,
        default=SHUTDOWN_TIMEOUT,
        metavar="SECONDS",
        help="how long to wait for the running job when told to stop (default: 30)",
    )
    add(
        "--log-level",
        type=str.lower,
        choices=["debug", "info", "warning", "error"],
        default="info",
        metavar="LEVEL",
        help="debug, info (the default), warning or error",
    )
    add("--version", action="version", version=f"jobqueue {__version__}")
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if 0 <= seconds <= MAX_SHUTDOWN_TIMEOUT:
        return seconds
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a number of seconds from 0 to {MAX_SHUTDOWN_TIMEOUT}"
    )


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


def _cause(error: BaseException) -> str:
    text = report.one_line(error)
    if isinstance(error, SyntaxError):
        return text
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.filename.startswith("<frozen importlib"):
        return f"{text} (looked for from {Path.cwd()})"
    return f"{text} ({frame.filename}, line {frame.lineno})"


if __name__ == "__main__":
    sys.exit(main())
