"""The operator's command line: ``python -m jobqueue``, or ``jobqueue``."""

import os
import signal
import sys
from collections.abc import Sequence

from jobqueue import __version__
from jobqueue.address import Address
from jobqueue.admin.console import Console
from jobqueue.admin.interrupts import Interrupted, Interrupts
from jobqueue.admin.parser import PROGRAM, parser
from jobqueue.admin.session import Session, UsageError
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
    interrupts = Interrupts()
    try:
        with interrupts.handled():
            address = Address.find(options.url)
            console = Console(as_json=options.json)
            session = Session(options, address, console, interrupts)
            return _run(session)
    except _WRONG_USE as error:
        return _fail(options.command, error, 2)
    except JobQueueError as error:
        return _fail(options.command, error, 1)
    except Interrupted as interrupted:
        if options.command == "top" and interrupted.signum == signal.SIGINT:
            return 0  # this is how it ends
        return 128 + interrupted.signum
    except BrokenPipeError:
        # Whoever read the output wants no more; nor may Python's own flush complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(session: Session) -> int:
    try:
        status: int = session.options.run(session)
        session.console.flush()
    finally:
        session.close()
    return status


def _fail(command: str, error: Exception, status: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{PROGRAM} {command}: error: {error}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
