"""A table as a value, and as plain text."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from jobqueue.admin.screen.formatting import shortened

COLUMN_GAP = "  "


class Cell(NamedTuple):
    """Text, and its style on a terminal with colours."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column, and how its cells are laid out.

    Numbers are aligned to the right. A column with a ``min_width`` is cut, to that
    width at most, if lines are too long.
    """

    title: str
    is_number: bool = False
    min_width: int | None = None  # characters


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, one for each column."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def width(self, max_width: int | None = None) -> int:
        """Return the characters of the longest line."""
        widths = self.widths(max_width)
        return sum(widths) + len(COLUMN_GAP) * (len(widths) - 1)

    def widths(self, max_width: int | None = None) -> list[int]:
        """Return the characters of each column, for lines of up to ``max_width``.

        Lines are longer nevertheless if no column can be cut any more.
        """
        widths = self._widths_of_cells()
        return widths if max_width is None else self._cut(widths, max_width)

    def plain(self, max_width: int | None = None) -> str:
        """Return the table as lines of text, of up to ``max_width`` characters."""
        return "\n".join(self.lines(max_width))

    def lines(
        self, max_width: int | None = None, more: Iterable[Sequence[Cell]] = ()
    ) -> Iterator[str]:
        """Yield the lines of the table, and those of more rows, laid out as these."""
        full = self._widths_of_cells()
        widths = full if max_width is None else self._cut(full, max_width)
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

    def _cut(self, full: list[int], max_width: int) -> list[int]:
        excess = sum(full) + len(COLUMN_GAP) * (len(full) - 1) - max_width
        widths = []
        for column, width in zip(self.columns, full, strict=True):
            least = width if column.min_width is None else min(width, column.min_width)
            cut = min(max(0, excess), width - least)
            widths.append(width - cut)
            excess -= cut
        return widths


@functools.lru_cache(maxsize=4096)
def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell, dimmed if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
