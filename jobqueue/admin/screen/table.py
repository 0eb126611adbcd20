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
    are left out, the highest first. A column that ``is_extra`` is left out before
    others are cut below their ``good_width``.
    """

    title: str
    is_number: bool = False
    min_width: int | None = None  # characters
    good_width: int = 0  # characters
    rank: int = 0
    is_extra: bool = False


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
        for is_good in (True, False):
            while not self._has_room(kept, full, max_width, is_good=is_good):
                optional = [
                    n
                    for n in kept
                    if self.columns[n].is_extra
                    or (self.columns[n].rank and not is_good)
                ]
                if not optional:
                    break
                kept.remove(max(optional, key=lambda n: self.columns[n].rank))
        return kept

    def _has_room(
        self, kept: list[int], full: list[int], max_width: int, *, is_good: bool
    ) -> bool:
        columns = [self.columns[n] for n in kept]
        widths = _cut(columns, [full[n] for n in kept], max_width, is_good=is_good)
        return _length(widths) <= max_width

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


def _cut(
    columns: Sequence[Column],
    full: list[int],
    max_width: int,
    *,
    is_good: bool = False,
) -> list[int]:
    """Return widths with which lines fit, if they can; the last are cut first.

    With ``is_good``, no column is cut below its good width.
    """
    widths = list(full)
    _narrow(columns, widths, max_width, is_good=True)
    if not is_good:
        _narrow(columns, widths, max_width, is_good=False)
    return widths


def _narrow(
    columns: Sequence[Column], widths: list[int], max_width: int, *, is_good: bool
) -> None:
    """Make columns narrower until lines fit, or each has its least width."""
    excess = _length(widths) - max_width
    for n, column in reversed(list(enumerate(columns))):
        if column.min_width is not None and excess > 0:
            least = max(column.min_width, column.good_width if is_good else 0)
            before = widths[n]
            widths[n] = max(min(before, least), before - excess)
            excess -= before - widths[n]


def _length(widths: Sequence[int]) -> int:
    """Return the characters of a line with columns of these widths."""
    return sum(widths) + len(COLUMN_GAP) * (len(widths) - 1)


@functools.lru_cache(maxsize=4096)
def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell, dimmed if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
