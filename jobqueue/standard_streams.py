"""Standard input, output and error of a command: closed ones, full ones, and pipes.

Service managers, and shells with ``>&-``, start programs with closed standard streams.
Python has None for ``sys.stdout`` then, and the next file or socket that is opened gets
the number of the closed one, with all that is printed to it.
"""

import argparse
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn, Protocol

from jobqueue import safe_text

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
_END_OF_READER = 128 + getattr(signal, "SIGPIPE", 13)  # as if the signal had ended it


class _Writer(Protocol):
    def write(self, text: str, /) -> object: ...


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and that says if help can't be written."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with status 2."""
        say_error(self.prog, f"{message} (see {self.prog} --help)")
        self.exit(2)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the program, with another status if what was printed can't be sent."""
        if message:
            say(message.removesuffix("\n"))
        sys.exit(flush_output(self.prog, status))

    def _print_message(self, message: str, file: _Writer | None = None) -> None:
        """Print help or the version. argparse's own method swallows errors."""
        try:
            (file or sys.stdout).write(message)
        except OSError as error:
            sys.exit(output_failed(self.prog, error))


def open_closed() -> frozenset[str]:
    """Open the null device for each closed stream; return the names of these."""
    while (fd := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):
        os.set_inheritable(fd, True)  # noqa: FBT003 - positional only
    os.close(fd)
    closed = set()
    for fd, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            stream = open(fd, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole run
            setattr(sys, name, stream)
            closed.add(name)
    return frozenset(closed)


def say(text: str) -> None:
    """Write lines to standard error, if that takes them.

    A full disk, or a reader that has gone, changes nothing of what a command does.
    """
    with suppress(OSError):
        sys.stderr.write(f"{safe_text.lines(text)}\n")
        sys.stderr.flush()


def say_error(program: str, message: str) -> None:
    """Write an error as one line to standard error, if that takes it."""
    say(f"{program}: error: {safe_text.error_line(message)}")


def flush_output(program: str, status: int) -> int:
    """Send what is buffered, and return the exit status: another one if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return output_failed(program, error)
    return status


def output_failed(program: str, error: OSError) -> int:
    """Say that the output could not be written, and return the exit status.

    A reader that stops reading, as ``head`` does, is no error: then nothing is said,
    and the status is that of a program which SIGPIPE has ended.
    """
    # Python would try to write at exit what is still buffered, and fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return _END_OF_READER
    say_error(program, f"can't write the output: {error.strerror or error}")
    return 1
