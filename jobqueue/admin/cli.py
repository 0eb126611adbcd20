"""The function behind the command ``jobqueue``."""

import argparse
import gc
import io
import signal
import sys
from collections.abc import Container, Sequence

from jobqueue import __version__, standard_streams
from jobqueue.admin.arguments import make_parser
from jobqueue.admin.command_adder import PROGRAM
from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.interrupts import Interrupted, Interrupts
from jobqueue.admin.session import Session
from jobqueue.app_modules import AppImportError
from jobqueue.broker.address import Address, without_passwords
from jobqueue.errors import (
    ArgumentError,
    BrokerURLError,
    JobQueueError,
    OptionError,
    TubeNameError,
)

_WRONG_USE = (
    *(AppImportError, ArgumentError, BrokerURLError),
    *(OptionError, TubeNameError, UsageError),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit status."""
    closed = standard_streams.open_closed()
    _escape_unencodable_characters()
    options = make_parser(__version__).parse_args(arguments)
    program = f"{PROGRAM} {options.command}"
    interrupts = Interrupts()
    try:
        with interrupts.handled():
            _check_streams(options, closed)
            address = Address.find(options.url)
            console = Console(as_json=options.json)
            status = _run(Session(options, address, console, interrupts))
    except _WRONG_USE as error:
        status = _fail(program, f"{error} (see {program} --help)", 2)
    except JobQueueError as error:
        status = _fail(program, str(error), 1)
    except Interrupted as interrupted:
        if options.command == "web":
            return 0  # it runs until it is told to stop
        if options.command == "top" and interrupted.signum == signal.SIGINT:
            return 0  # Ctrl-C is the usual end of top
        status = _fail(program, str(interrupted), 128 + interrupted.signum)
    except OSError as error:  # for example, the disk is full
        status = standard_streams.output_failed(program, error)
    return status


def _escape_unencodable_characters() -> None:
    """Print characters that the output's encoding lacks as escape sequences."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _check_streams(options: argparse.Namespace, closed: Container[str]) -> None:
    """Raise CommandError if a command lacks the stream that it is about."""
    if options.is_about_output and "stdout" in closed:
        raise CommandError("standard output is closed: there is nowhere to print to")
    if options.command == "import" and options.file is None and "stdin" in closed:
        raise CommandError("standard input is closed: name the FILE to import")


def _run(session: Session) -> int:
    if session.options.command not in {"top", "web"}:  # these may run for days
        gc.disable()  # a list of many jobs makes many objects, all needed to the end
    try:
        status: int = session.options.run(session)
        session.console.flush()
    finally:
        gc.enable()
        session.close()
    return status


def _fail(program: str, message: str, status: int) -> int:
    """Print what there is of the result, and the error; return the exit status."""
    status = standard_streams.flush_output(program, status)
    standard_streams.say_error(program, without_passwords(message))
    return status
