"""A table as a value, and as plain text."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from jobqueue.operating.formatting import shortened

COLUMN_GAP = "  "


class Cell(NamedTuple):
    """Text, and its style on a terminal with colours."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column, and how its cells are laid out.

    Numbers are aligned to the right. A column with a ``min_width`` is cut, to that
    width at most, if lines are too long. If that is not enough, columns with a ``rank``
    are left out, the highest first.
    """

    title: str
    is_number: bool = False
    min_width: int | None = None  # characters
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, one for each column."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def fitted(self, max_width: int) -> "Table":
        """Return the table without the columns that lines have no room for."""
        return self.only(self.fitting(max_width))

    def fitting(self, max_width: int) -> list[int]:
        """Return the numbers of the columns that lines have room for."""
        full = self._widths_of_cells()
        kept = list(range(len(full)))
        while True:
            columns = [self.columns[n] for n in kept]
            widths = _cut(columns, [full[n] for n in kept], max_width)
            least = max(kept, key=lambda n: self.columns[n].rank)
            if _length(widths) <= max_width or not self.columns[least].rank:
                return kept
            kept.remove(least)

    def only(self, kept: Sequence[int]) -> "Table":
        """Return the table with the columns of these numbers alone."""
        columns = [self.columns[n] for n in kept]
        return Table(columns, [[row[n] for n in kept] for row in self.rows])

    def width(self, max_width: int | None = None) -> int:
        """Return the characters of the longest line."""
        return _length(self.widths(max_width))

    def widths(self, max_width: int | None = None) -> list[int]:
        """Return the characters of each column, for lines of up to ``max_width``.

        Lines are longer nevertheless if no column can be cut any more.
        """
        widths = self._widths_of_cells()
        return widths if max_width is None else _cut(self.columns, widths, max_width)

    def plain(self, max_width: int | None = None) -> str:
        """Return the table as lines of text, of up to ``max_width`` characters."""
        return "\n".join(self.lines(max_width))

    def lines(
        self, max_width: int | None = None, more: Iterable[Sequence[Cell]] = ()
    ) -> Iterator[str]:
        """Yield the lines of the table, and those of more rows, laid out as these."""
        full = self._widths_of_cells()
        widths = full if max_width is None else _cut(self.columns, full, max_width)
        line = COLUMN_GAP.join(
            f"{{:{'>' if column.is_number else '<'}{width}}}"
            for column, width in zip(self.columns, widths, strict=True)
        ).format
        yield line(*(column.title for column in self.columns)).rstrip()
        for row in chain(self.rows, more):
            texts: Iterable[str] = [text for text, _ in row]
            if widths != full:
                texts = self._shortened(texts, widths)
            yield line(*texts).rstrip()

    def _shortened(self, texts: Iterable[str], widths: Sequence[int]) -> Iterator[str]:
        for text, width, column in zip(texts, widths, self.columns, strict=True):
            yield text if column.min_width is None else shortened(text, width)

    def _widths_of_cells(self) -> list[int]:
        titles = [len(column.title) for column in self.columns]
        cells = zip(*self.rows, strict=True)
        longest = [max(len(text) for text, _ in column) for column in cells]
        return list(map(max, titles, longest)) if longest else titles


def _cut(columns: Sequence[Column], full: list[int], max_width: int) -> list[int]:
    """Return widths with which lines fit, if they can; the last are cut first."""
    excess = _length(full) - max_width
    widths = list(full)
    for n, column in reversed(list(enumerate(columns))):
        if column.min_width is not None and excess > 0:
            widths[n] = max(min(full[n], column.min_width), full[n] - excess)
            excess -= full[n] - widths[n]
    return widths


def _length(widths: Sequence[int]) -> int:
    """Return the characters of a line with columns of these widths."""
    return sum(widths) + len(COLUMN_GAP) * (len(widths) - 1)


@functools.lru_cache(maxsize=4096)
def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell, dimmed if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
