"""CommandAdder: adds the commands of ``jobqueue``, with what all of them have."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from jobqueue.admin.command_parser import CommandParser
from jobqueue.admin.errors import UsageError
from jobqueue.admin.session import Session
from jobqueue.command_line import CommandLineParser, HelpFormatter

PROGRAM = "jobqueue"


class CommandAdder:
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
        add_common(parser, argparse.SUPPRESS, as_json=argparse.SUPPRESS)
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


def add_common(parser: CommandLineParser, url: str | None, as_json: object) -> None:
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
