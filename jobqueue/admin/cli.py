"""The operator's command line, as a function."""

import gc
import io
import os
import signal
import sys
from collections.abc import Sequence

from jobqueue import __version__
from jobqueue.admin.arguments import PROGRAM, parser
from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.interrupts import Interrupted, Interrupts
from jobqueue.admin.session import Session, UsageError
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
    """Do what the command line says, and return the exit status."""
    options = parser(__version__).parse_args(arguments)
    _accept_all_strings()
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
            return 0  # this is how it ends
        return _fail(options.command, interrupted, 128 + interrupted.signum)
    except OSError as error:  # whoever read the output wants no more; the disk is full
        _drop_output()
        wants_no_more = isinstance(error, BrokenPipeError)
        return 1 if wants_no_more else _fail(options.command, error, 1)


def _accept_all_strings() -> None:
    """Have those escaped that the terminal's encoding, or any encoding, has not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(session: Session) -> int:
    if session.options.command != "top":  # which may run for days
        gc.disable()  # many jobs make many objects, none of which goes before the end
    try:
        status: int = session.options.run(session)
        session.console.flush()
    finally:
        gc.enable()
        session.close()
    return status


def _drop_output() -> None:
    """See to it that Python does not try again to write what can't be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(command: str, error: BaseException, status: int) -> int:
    sys.stdout.flush()
    said = without_passwords(str(error))
    sys.stderr.write(f"{PROGRAM} {command}: error: {said}\n")
    return status
