"""Waiting on a terminal for a key or for time to pass, and leaving it as it was."""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Wait = Callable[[float], bool]


@contextmanager
def waiting() -> Iterator[Wait]:
    """Return a function that waits for seconds, and tells if q was pressed meanwhile.

    What is typed is not shown. Without a terminal there are no keys.
    """
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield _sleep
        return
    import termios  # noqa: PLC0415 - Windows has none

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        yield lambda seconds: _wait_for_key(terminal, seconds)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _wait_for_key(terminal: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            typed = os.read(terminal, 1024)
            if not typed:  # the terminal is gone
                return True
            if typed.lower() in (b"q", b"\x1b"):
                return True
    return False
