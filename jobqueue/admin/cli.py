"""The function behind the command ``jobqueue``."""

import gc
import io
import os
import signal
import sys
from collections.abc import Sequence

from jobqueue import __version__
from jobqueue.admin.arguments import PROGRAM, make_parser
from jobqueue.admin.errors import UsageError
from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.interrupts import Interrupted, Interrupts
from jobqueue.admin.session import Session
from jobqueue.broker.address import Address, without_passwords
from jobqueue.errors import (
    ArgumentError,
    BrokerURLError,
    JobQueueError,
    OptionError,
    TubeNameError,
)

_WRONG_USE = (ArgumentError, BrokerURLError, OptionError, TubeNameError, UsageError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit status."""
    options = make_parser(__version__).parse_args(arguments)
    _escape_unencodable_characters()
    interrupts = Interrupts()
    try:
        with interrupts.handled():
            address = Address.find(options.url)
            console = Console(as_json=options.json)
            return _run(Session(options, address, console, interrupts))
    except JobQueueError as error:
        return _fail(options.command, error, 2 if isinstance(error, _WRONG_USE) else 1)
    except Interrupted as interrupted:
        if options.command == "top" and interrupted.signum == signal.SIGINT:
            return 0  # Ctrl-C is the usual end of top
        return _fail(options.command, interrupted, 128 + interrupted.signum)
    except BrokenPipeError:  # as in `jobqueue list emails | head`
        _drop_output()
        return 1
    except OSError as error:  # for example, the disk is full
        _drop_output()
        return _fail(options.command, error, 1)


def _escape_unencodable_characters() -> None:
    """Print characters that the output's encoding lacks as escape sequences."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(session: Session) -> int:
    if session.options.command != "top":  # top may run for days
        gc.disable()  # a list of many jobs makes many objects, all needed to the end
    try:
        status: int = session.options.run(session)
        session.console.flush()
    finally:
        gc.enable()
        session.close()
    return status


def _drop_output() -> None:
    """Discard the buffered output: Python would try to write it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(command: str, error: BaseException, status: int) -> int:
    sys.stdout.flush()
    message = without_passwords(str(error))
    sys.stderr.write(f"{PROGRAM} {command}: error: {message}\n")
    return status
