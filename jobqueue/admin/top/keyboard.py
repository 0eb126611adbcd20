"""Waiting for a key on a terminal."""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Wait = Callable[[float], bool]

_QUIT_KEYS = (b"q", b"\x1b")  # \x1b: Escape


@contextmanager
def waiting() -> Iterator[Wait]:
    """Yield a function that waits some seconds, and returns whether q ended the wait.

    Keys are not echoed meanwhile, and the terminal's modes are restored at the end.
    Without a terminal the function just sleeps.
    """
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield sleep
        return
    import termios  # noqa: PLC0415 - Windows has none

    terminal = sys.stdin.fileno()
    original = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        yield lambda seconds: _wait_for_key(terminal, seconds)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, original)


def sleep(seconds: float) -> bool:
    """Wait without a keyboard, and return that no key ended the wait."""
    time.sleep(seconds)
    return False


def _wait_for_key(terminal: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            typed = os.read(terminal, 1024)
            is_terminal_gone = not typed
            if is_terminal_gone or typed.lower() in _QUIT_KEYS:
                return True
    return False
