"""What the command lines share: errors of one line, a light help, and types."""

import argparse
import math
import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from jobqueue import standard_streams
from jobqueue.broker.address import without_passwords

DEFAULT_COLUMNS = 80
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}  # seconds
MAX_DIGITS = 20  # of a whole number: as many as beanstalkd's longest job id has


class CommandLineParser(standard_streams.Parser):
    """A parser whose errors are one line, without the password of any URL."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with status 2."""
        super().error(without_passwords(message))


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Fits help to the terminal's width, without ``shutil``.

    argparse would import it for that, and ``shutil`` loads three compressors.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal_columns() - 2)

    def add_argument(self, action: argparse.Action) -> None:
        """Fit the column of names to subcommands; argparse forgets their indent."""
        super().add_argument(action)
        for command in self._iter_indented_subactions(action):
            length = len(str(command.metavar)) + self._current_indent
            self._action_max_length = max(self._action_max_length, length)


def terminal_columns() -> int:
    """Return the terminal's width: ``$COLUMNS`` if set, and 80 without a terminal."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size().columns
    except OSError:  # standard output is not a terminal
        return DEFAULT_COLUMNS


def whole_number_from(minimum: int) -> Callable[[str], int]:
    """Return the type of an option that takes a whole number from ``minimum`` on."""

    def parse(text: str) -> int:
        is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
        if is_number and int(text) >= minimum:
            return int(text)
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number from {minimum}"
        )

    return parse


def time_ago(text: str) -> timedelta:
    """Return a time in seconds, minutes, hours, days or weeks, as in ``2h``."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if found:
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a time like 90s, 30m, 2h, 7d or 4w"
    )


def seconds_between(minimum: float, maximum: float) -> Callable[[str], float]:
    """Return the type of an option that takes a number of seconds, limits included."""

    def parse(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if minimum <= seconds <= maximum:
            return seconds
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds from {minimum} to {maximum}"
        )

    return parse
