"""Where output goes: a terminal, with colours if rich is there, or a pipe."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from jobqueue.admin.screen.table import Table

_PIPE_WIDTH = 160  # characters: of what nobody's screen has to hold
_MOST_ROWS = 1_000  # that are drawn in colour: it takes a millisecond for each
_JSON = json.JSONEncoder(ensure_ascii=False)

Advance = Callable[[int, int], None]  # how much is done, and of how much


def find_rich() -> ModuleType | None:
    """Return what draws with rich, if that is installed."""
    try:
        from jobqueue.admin.screen import rich_output as rich_view  # noqa: PLC0415 - rich is an extra
    except ImportError:
        return None
    return rich_view


class Console:
    """Writes results to standard output, and what else there is to say to the other."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.is_terminal = sys.stdout.isatty()

    @property
    def width(self) -> int:
        """How many characters a line has."""
        return shutil.get_terminal_size().columns if self.is_terminal else _PIPE_WIDTH

    def line(self, text: str) -> None:
        """Write a line of the result."""
        sys.stdout.write(f"{text}\n")

    def json(self, value: object) -> None:
        """Write a value as a line of JSON."""
        self.line(_JSON.encode(value))

    def bytes(self, data: bytes) -> None:
        """Write bytes, and have them on their way."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def flush(self) -> None:
        """Have what was written on its way."""
        sys.stdout.flush()

    def table(self, table: Table) -> None:
        """Write a table."""
        is_short = len(table.rows) <= _MOST_ROWS
        rich = find_rich() if self.is_terminal and is_short else None
        if rich:
            rich.show(table)
        else:
            self.line(table.plain(self.width))

    def note(self, text: str) -> None:
        """Say something that is not the result, on standard error."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def asks(self, question: str) -> bool | None:
        """Ask on the terminal, and return if the answer is yes; None without one."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """Show on a terminal how much is done."""
        if not sys.stderr.isatty():
            yield lambda _done, _total: None
            return
        rich = find_rich()
        with rich.progress(title, total) if rich else _plain_progress(title) as advance:
            yield advance


@contextmanager
def _plain_progress(title: str) -> Iterator[Advance]:
    def advance(done: int, total: int) -> None:
        percent = 100 * done // total if total else 100
        sys.stderr.write(f"\r{title}: {done:,} of {total:,} ({percent} %)\033[K")
        sys.stderr.flush()

    try:
        yield advance
    finally:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
