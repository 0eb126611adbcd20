"""The command line: ``python -m jobqueue.worker``."""

import argparse
import importlib
import logging
import math
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from jobqueue import JobQueueError, Worker, __version__
from jobqueue.worker import SHUTDOWN_TIMEOUT

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
    return 0


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
    if 0 <= seconds < math.inf:
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")


def _import(module: str, parser: argparse.ArgumentParser) -> None:
    """Import a module; if that fails, say why and exit."""
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever its code raises
        logging.getLogger("jobqueue.worker").debug("Import failed", exc_info=True)
        if module.endswith(".py"):
            parser.error(f"can't import {module}: give the module's dotted name")
        parser.error(f"can't import {module}: {_cause(error)}")


def _cause(error: BaseException) -> str:
    text = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError):
        return f"{text} ({error.filename}, line {error.lineno})"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.filename.startswith("<frozen importlib"):
        return text
    return f"{text} ({frame.filename}, line {frame.lineno})"


if __name__ == "__main__":
    sys.exit(main())
