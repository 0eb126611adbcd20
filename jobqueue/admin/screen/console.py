"""Output to a terminal, with colours if rich is installed, or to a pipe or file."""

import codecs
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from types import ModuleType

from jobqueue import standard_streams
from jobqueue.admin.screen.table import Cell, Column, Table
from jobqueue.safe_text import lines, one_line, to_json

_PIPE_WIDTH = 160  # characters per line where there is no terminal
_MAX_COLOURED_ROWS = 1_000  # rich takes a millisecond for each

Advance = Callable[[int, int], None]  # takes how much is done, and of how much
Legend = Callable[[Sequence[Column]], str]  # of the columns that are shown


def _no_legend(_columns: Sequence[Column]) -> str:
    return ""


def find_rich() -> ModuleType | None:
    """Return the module that draws with rich; None if rich is not installed."""
    try:
        from jobqueue.admin.screen import rich_output  # noqa: PLC0415 - rich is an extra
    except ImportError:
        return None
    return rich_output


class Console:
    """Writes results to standard output, and notes and progress to standard error.

    All text is made safe here: it may come from anybody who can put a job.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.is_terminal = sys.stdout.isatty()
        encoding = codecs.lookup(sys.stdout.encoding or "ascii").name
        self._is_ascii_json = not encoding.startswith("utf")

    @property
    def is_interactive(self) -> bool:
        """Whether there is a terminal to ask a question on."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def width(self) -> int:
        """The characters that fit on a line."""
        return shutil.get_terminal_size().columns if self.is_terminal else _PIPE_WIDTH

    def line(self, text: str) -> None:
        """Write a line of the result, or several."""
        sys.stdout.write(f"{lines(text)}\n")

    def paragraph(self, text: str) -> None:
        """Write a long line, broken between words on a terminal that is narrower."""
        self.line(_wrapped(text, self.width) if self.is_terminal else text)

    def json(self, value: object) -> None:
        """Write a value as a line of JSON."""
        sys.stdout.write(f"{to_json(value, is_ascii=self._is_ascii_json)}\n")

    def bytes(self, data: bytes) -> None:
        """Write bytes that are safe, at once."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def flush(self) -> None:
        """Send what is buffered."""
        sys.stdout.flush()

    def table(self, table: Table, legend: Legend = _no_legend) -> None:
        """Write a table; on a terminal, below it the legend of its columns."""
        table = table.fitted(self.width)
        is_short = len(table.rows) <= _MAX_COLOURED_ROWS
        rich = find_rich() if self.is_terminal and is_short else None
        if rich:
            rich.show(table)
        else:
            self.line(table.plain(self.width))
        self._legend(legend(table.columns))

    def long_table(
        self,
        columns: Sequence[Column],
        rows: Iterator[Sequence[Cell]],
        legend: Legend = _no_legend,
    ) -> None:
        """Write a table, if it has rows; many of them one by one.

        The first ones determine how wide the columns are.
        """
        table = Table(columns, list(islice(rows, _MAX_COLOURED_ROWS + 1)))
        if len(table.rows) > _MAX_COLOURED_ROWS:
            kept = table.fitting(self.width)
            more = ([row[n] for n in kept] for row in rows)
            table = table.only(kept)
            for line in table.lines(self.width, more=more):
                self.line(line)
            self._legend(legend(table.columns))
        elif table.rows:
            self.table(table, legend)

    def _legend(self, text: str) -> None:
        if text and self.is_terminal:
            self.line("")
            self.paragraph(text)

    def note(self, text: str) -> None:
        """Write a line that is not part of the result to standard error."""
        if sys.stderr.isatty():
            text = _wrapped(text, shutil.get_terminal_size().columns)
        standard_streams.say(text)

    def confirm(self, question: str) -> bool | None:
        """Ask on the terminal, and return whether the answer is yes.

        Returns None without a terminal.
        """
        if not self.is_interactive:
            return None
        width = shutil.get_terminal_size().columns
        sys.stderr.write(f"{_wrapped(f'{one_line(question)} [y/N]', width - 2)} ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """Show progress on standard error, if that is a terminal."""
        if not sys.stderr.isatty():
            yield lambda _done, _total: None
            return
        rich = find_rich()
        with rich.progress(title, total) if rich else _plain_progress(title) as advance:
            yield advance


def _wrapped(text: str, width: int) -> str:
    """Return text in lines of a width, broken between words."""
    if len(text) <= width:
        return text
    return textwrap.fill(text, width, break_on_hyphens=False, break_long_words=False)


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
