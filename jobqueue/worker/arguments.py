"""The options of ``python -m jobqueue.worker``."""

import argparse
import math
import os
from typing import NoReturn

from jobqueue import __version__
from jobqueue.broker.address import without_passwords
from jobqueue.worker.settings import MAX_SHUTDOWN_TIMEOUT, SHUTDOWN_TIMEOUT

MAX_PORT = 2**16 - 1

EXAMPLE = """\
example:
  python -m jobqueue.worker --tube emails --tube reports --import app.tasks

SIGTERM and SIGINT (Ctrl-C) stop the worker when the running jobs are finished.
Exit status: 0 when it was stopped, 2 when it could not start.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {without_passwords(message)}\n")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Knows the terminal's width without shutil, which loads three compressors."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size().columns
    except OSError:  # the output is no terminal
        return 80


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = _Parser(
        prog="python -m jobqueue.worker",
        description="Work off the jobs of beanstalkd tubes.",
        epilog=EXAMPLE,
        formatter_class=_Formatter,
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
    add(
        "--processes",
        type=_count,
        default=1,
        metavar="N",
        help="how many processes, for work that computes (default: 1)",
    )
    add(
        "--threads",
        type=_count,
        default=1,
        metavar="N",
        help="how many jobs at a time in each process, for work that waits "
        "(default: 1)",
    )
    add(
        "--time-limit",
        type=_time_limit,
        metavar="SECONDS",
        help="for how long a job may run, if its task has no limit of its own",
    )
    add(
        "--max-jobs",
        type=_count,
        metavar="N",
        help="replace a process after it has run so many jobs",
    )
    add("--burst", action="store_true", help="stop as soon as no job is ready")
    add(
        "--shutdown-timeout",
        type=_seconds,
        default=SHUTDOWN_TIMEOUT,
        metavar="SECONDS",
        help="how long to wait for the running jobs when told to stop (default: 30)",
    )
    add(
        "--log-level",
        type=str.lower,
        choices=["debug", "info", "warning", "error"],
        default="info",
        metavar="LEVEL",
        help="debug, info (the default), warning or error",
    )
    add(
        "--log-format",
        choices=["text", "json"],
        default="text",
        metavar="FORMAT",
        help="text (the default) or json: an object a line, for programs",
    )
    add(
        "--metrics-port",
        type=_port,
        metavar="N",
        help="serve metrics for Prometheus at this port (jobqueue[metrics])",
    )
    add(
        "--metrics-host",
        default="127.0.0.1",
        metavar="HOST",
        help="the address to serve them at (default: 127.0.0.1; in a container, "
        "0.0.0.0)",
    )
    add("--tally", help=argparse.SUPPRESS)
    add("--supervised", metavar="BOARD", help=argparse.SUPPRESS)
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


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")


def _port(text: str) -> int:
    if (number := _count(text)) <= MAX_PORT:
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to {MAX_PORT}")


def _time_limit(text: str) -> float:
    if (seconds := _seconds(text)) > 0:
        return seconds
    raise argparse.ArgumentTypeError("a time limit has to be more than 0 seconds")
