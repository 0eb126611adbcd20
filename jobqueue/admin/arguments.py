"""The commands of ``jobqueue`` and their options."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from jobqueue.admin import help as texts
from jobqueue.admin.command_parser import CommandParser
from jobqueue.admin.commands import change, inspect, transfer
from jobqueue.admin.commands.failures import failures
from jobqueue.admin.commands.kick import kick
from jobqueue.admin.commands.put import put
from jobqueue.admin.commands.web import web
from jobqueue.admin.errors import UsageError
from jobqueue.admin.session import Session
from jobqueue.admin.shared_arguments import (
    add_asking,
    add_filters,
    add_put_options,
    add_states,
    add_tube,
)
from jobqueue.admin.web_arguments import add_web
from jobqueue.broker.put_options import PutOptions
from jobqueue.command_line import (
    CommandLineParser,
    HelpFormatter,
    seconds_between,
    whole_number_from,
)

PROGRAM = "jobqueue"

_MIN_INTERVAL, _MAX_INTERVAL = 0.1, 3600  # seconds between two samples of top

_number = whole_number_from(0)
_count = whole_number_from(1)
_interval = seconds_between(_MIN_INTERVAL, _MAX_INTERVAL)


class _Commands:
    """Adds commands, each with the options that all commands have."""

    def __init__(self, parser: CommandLineParser) -> None:
        self._commands = parser.add_subparsers(
            dest="command",
            metavar="COMMAND",
            required=True,
            parser_class=CommandParser,
        )

    def add(
        self,
        name: str,
        run: Callable[[Session], int],
        description: str,
        epilog: str = "",
        *,
        is_about_output: bool = False,
    ) -> Callable[..., Any]:
        """Add a command, and return the function that adds arguments to it.

        A command that is about its output makes no sense without it.
        """
        parser = self._commands.add_parser(
            name,
            help=description[0].lower() + description[1:].rstrip("."),
            description=description,
            epilog=epilog,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )
        parser.set_defaults(run=run, is_about_output=is_about_output)
        _add_common(parser, argparse.SUPPRESS, as_json=argparse.SUPPRESS)
        return parser.add_argument

    def mention(self, name: str, summary: str) -> None:
        """List a command that has a parser of its own: see ``jobqueue/__main__.py``.

        It comes here only after options, and says that these belong after its name.
        """
        parser = self._commands.add_parser(
            name, help=summary, prefix_chars="\0", add_help=False
        )
        parser.add_argument("words", nargs="*")
        parser.set_defaults(run=_refuse_options_before, is_about_output=False)


def _refuse_options_before(session: Session) -> NoReturn:
    command = session.options.command
    raise UsageError(f"options belong after the command: {PROGRAM} {command} ...")


def _add_common(parser: CommandLineParser, url: str | None, as_json: object) -> None:
    """Add what may stand before or after the command, with the defaults."""
    parser.add_argument(
        "--url",
        default=url,
        help="the broker (default: $BEANSTALKD_URL, else beanstalkd://127.0.0.1:11300)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=as_json,
        help="print JSON (see jobqueue --help)",
    )


def make_parser(version: str) -> CommandLineParser:
    """Return the parser of the command line."""
    parser = CommandLineParser(
        prog=PROGRAM,
        description=texts.DESCRIPTION,
        epilog=texts.OVERVIEW,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"jobqueue {version}")
    _add_common(parser, None, as_json=False)
    commands = _Commands(parser)
    commands.mention("worker", "run the jobs of tubes")
    commands.mention("devserver", "run an in-memory beanstalkd, for development")
    _add_inspect(commands)
    _add_failures(commands)
    _add_change(commands)
    _add_put(commands)
    _add_transfer(commands)
    _add_web(commands)
    return parser


def _add_inspect(commands: _Commands) -> None:
    add = commands.add(
        "stats",
        inspect.stats,
        "Show the counts of tubes.",
        texts.STATS,
        is_about_output=True,
    )
    add("tubes", nargs="*", metavar="TUBE", help="a tube (default: all tubes)")
    add = commands.add(
        "top",
        inspect.top,
        "Show the counts of tubes, live.",
        texts.TOP,
        is_about_output=True,
    )
    add(
        "--interval",
        type=_interval,
        default=2.0,
        metavar="S",
        help="seconds between two samples (default: 2)",
    )
    _add_jobs(commands)


def _add_jobs(commands: _Commands) -> None:
    add = commands.add(
        "list",
        inspect.list_jobs,
        "Show the jobs of a tube.",
        texts.LIST,
        is_about_output=True,
    )
    add_tube(add)
    add_states(add, required=False)
    add(
        "--limit",
        type=_count,
        metavar="N",
        help=f"show N jobs at most (default: {inspect.DEFAULT_LIMIT}; no limit with "
        "--json)",
    )
    add_filters(add)
    add = commands.add(
        "show",
        inspect.show,
        "Show the counts and the body of a job.",
        texts.SHOW,
        is_about_output=True,
    )
    add("id", type=_number, metavar="ID", help="the job's id")


def _add_failures(commands: _Commands) -> None:
    add = commands.add(
        "failures",
        failures,
        "Show why jobs failed, in groups.",
        texts.FAILURES,
        is_about_output=True,
    )
    add_tube(add, nargs="?")
    add("--job", type=_number, metavar="ID", help="show the failures of this job")
    add_filters(add, containing="a text of the error or the traceback")


def _add_change(commands: _Commands) -> None:
    add = commands.add(
        "kick", kick, "Make buried jobs ready: have them run again.", texts.KICK
    )
    add_tube(add, nargs="?")
    add("--all", action="store_true", help="kick all buried jobs of the tube")
    add("--count", type=_count, metavar="N", help="kick the N that were buried first")
    add(
        "--job",
        type=_number,
        nargs="+",
        dest="ids",
        metavar="ID",
        help="kick these jobs, of any tube",
    )
    add_filters(add)
    add_asking(add)
    add = commands.add("delete", change.delete, "Delete jobs by id.", texts.DELETE)
    add("ids", type=_number, nargs="*", metavar="ID", help="a job's id")
    add(
        "--tube",
        metavar="TUBE",
        help="delete jobs of this tube, with --func and others",
    )
    add_filters(add)
    add_asking(add)
    add = commands.add("clear", change.clear, "Delete jobs by state.", texts.CLEAR)
    add_tube(add)
    add_states(add, required=True)
    add_filters(add)
    add_asking(add)
    add = commands.add(
        "pause", change.pause, "Hand out no jobs of a tube for a while.", texts.PAUSE
    )
    add_tube(add)
    add("seconds", type=_number, metavar="SECONDS", help="how long")
    add = commands.add("resume", change.resume, "End the pause of a tube.")
    add_tube(add)


def _add_put(commands: _Commands) -> None:
    add = commands.add("put", put, "Put a job of a task.", texts.PUT)
    add_tube(add, nargs="?")
    add(
        "func_name",
        nargs="?",
        metavar="FUNC",
        help="the name of the task's function",
    )
    add(
        "--failed",
        type=_number,
        metavar="ID",
        help="put this job again, which was deleted for its kicks",
    )
    add("arguments", nargs="*", metavar="NAME=VALUE", help="an argument of the task")
    add(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help="a module with the task, as in app.tasks: the name and the arguments are "
        "checked as by a put in code; repeatable",
    )
    add_put_options(add, PutOptions())


def _add_transfer(commands: _Commands) -> None:
    add = commands.add(
        "export",
        transfer.export,
        "Write the jobs of a tube as lines of JSON.",
        texts.EXPORT,
        is_about_output=True,
    )
    add_tube(add)
    add_states(add, required=False)
    add_filters(add)
    add = commands.add(
        "import", transfer.import_jobs, "Put the jobs of an export.", texts.IMPORT
    )
    add("file", nargs="?", metavar="FILE", help="the export (default: standard input)")
    add(
        "--from-line",
        type=_count,
        default=1,
        metavar="N",
        help="skip the lines before line N",
    )


def _add_web(commands: _Commands) -> None:
    add_web(commands.add("web", web, "Serve a page about all of this.", texts.WEB))
