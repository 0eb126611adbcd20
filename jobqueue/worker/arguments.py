"""The options of ``jobqueue worker``."""

import argparse

from jobqueue import __version__
from jobqueue.command_line import (
    CommandLineParser,
    HelpFormatter,
    seconds_between,
    whole_number_from,
)
from jobqueue.worker.settings import (
    FAILURES_KEPT,
    MAX_SHUTDOWN_TIMEOUT,
    SHUTDOWN_TIMEOUT,
)

MAX_PORT = 2**16 - 1

EXAMPLE = """\
example:
  {program} --tube emails --tube reports --import app.tasks

SIGTERM, SIGINT (Ctrl-C) and SIGHUP stop the worker when the running jobs are
finished. A second SIGTERM or SIGINT, a second later or more, stops it at once.
SIGUSR1 makes it quiet: it takes no more jobs, and stays until it is stopped.
Exit status: 0 when it was stopped, 2 when it could not start.
"""

_count = whole_number_from(1)
_seconds = seconds_between(0, MAX_SHUTDOWN_TIMEOUT)


def make_parser(program: str) -> CommandLineParser:
    """Return the parser of the command line, which begins with ``program``."""
    parser = CommandLineParser(
        prog=program,
        description="Run the jobs of beanstalkd tubes.",
        epilog=EXAMPLE.format(program=program),
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    _add_what_to_run(parser)
    _add_how_many(parser)
    _add_limits(parser)
    _add_log_and_metrics(parser)
    _add_what_a_supervisor_passes(parser)
    parser.add_argument(
        "--version", action="version", version=f"jobqueue {__version__}"
    )
    return parser


def _add_what_to_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tube",
        action="append",
        default=[],
        dest="tubes",
        metavar="NAME",
        help="a tube whose jobs to run; repeatable (default: all that have tasks)",
    )
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help="a module with tasks, as in app.tasks; repeatable",
    )
    parser.add_argument(
        "--url",
        help="the broker (default: that of the tasks' queue; $BEANSTALKD_URL "
        "or beanstalkd://127.0.0.1:11300 if it names none)",
    )
    parser.add_argument(
        "--reload",
        action="store_true",
        help="for development: start afresh when the code of the tasks changes "
        "(jobqueue[reload])",
    )


def _add_how_many(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--processes",
        type=_count,
        default=1,
        metavar="N",
        help="how many processes, for work that computes (default: 1)",
    )
    parser.add_argument(
        "--threads",
        type=_count,
        default=1,
        metavar="N",
        help="how many jobs at a time in each process, for work that waits "
        "(default: 1)",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--time-limit",
        type=_time_limit,
        metavar="SECONDS",
        help="for how long a job may run, if its task has no limit of its own",
    )
    parser.add_argument(
        "--max-jobs",
        type=_count,
        metavar="N",
        help="replace a process after it has run so many jobs",
    )
    parser.add_argument(
        "--burst", action="store_true", help="stop as soon as no job is ready"
    )
    parser.add_argument(
        "--shutdown-timeout",
        type=_seconds,
        default=SHUTDOWN_TIMEOUT,
        metavar="SECONDS",
        help="how long to wait for the running jobs when told to stop (default: 30)",
    )
    parser.add_argument(
        "--failures-kept",
        type=whole_number_from(0),
        default=FAILURES_KEPT,
        metavar="N",
        help="how many failures, and how many retries, are noted in the broker for "
        "each tube (default: 1000; 0: none)",
    )


def _add_log_and_metrics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log-level",
        type=str.lower,
        choices=["debug", "info", "warning", "error"],
        default="info",
        metavar="LEVEL",
        help="debug, info (the default), warning or error",
    )
    parser.add_argument(
        "--log-format",
        choices=["text", "json"],
        default="text",
        metavar="FORMAT",
        help="text (the default) or json: an object a line, for programs",
    )
    parser.add_argument(
        "--metrics-port",
        type=_port,
        metavar="N",
        help="serve metrics for Prometheus at this port (jobqueue[metrics])",
    )
    parser.add_argument(
        "--metrics-host",
        default="127.0.0.1",
        metavar="HOST",
        help="the address to serve them at (default: 127.0.0.1; in a container, "
        "0.0.0.0)",
    )
    parser.add_argument(
        "--health-port",
        type=_port,
        metavar="N",
        help="serve /healthz (no slot is stuck) and /readyz (it takes jobs, and has "
        "the broker) at this port, for probes; the metrics' port serves them, too",
    )
    parser.add_argument(
        "--health-host",
        metavar="HOST",
        help="the address to serve them at (default: that of --metrics-host)",
    )


def _add_what_a_supervisor_passes(parser: argparse.ArgumentParser) -> None:
    """Add what only a supervisor passes, to a process that it can't fork.

    They are handles of shared memory, and the descriptors of the log's lock and of a
    pipe.
    """
    parser.add_argument("--supervised", help=argparse.SUPPRESS)
    parser.add_argument("--counters", help=argparse.SUPPRESS)
    parser.add_argument("--log-lock", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--parent-pipe", type=int, help=argparse.SUPPRESS)


def _port(text: str) -> int:
    if (number := _count(text)) <= MAX_PORT:
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to {MAX_PORT}")


def _time_limit(text: str) -> float:
    if (seconds := _seconds(text)) > 0:
        return seconds
    raise argparse.ArgumentTypeError("a time limit has to be more than 0 seconds")
