"""A table as a value, and as plain text."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
        titles = [len(column.title) for column in self.columns]
        cells = zip(*self.rows, strict=True)
        longest = [max(len(text) for text, _ in column) for column in cells]
        widths = list(map(max, titles, longest)) if longest else titles
        if max_width is None:
            return widths
        excess = sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) - max_width
        for number, column in enumerate(self.columns):
            if excess > 0 and column.min_width is not None:
                cut = min(excess, max(0, widths[number] - column.min_width))
                widths[number] -= cut
                excess -= cut
        return widths

    def plain(self, width: int | None = None) -> str:
        """Return the table as lines of text, of up to ``width`` characters."""
        widths = self.widths(width)
        line = COLUMN_GAP.join(
            f"{{:{'>' if column.is_number else '<'}{column_width}}}"
            for column, column_width in zip(self.columns, widths, strict=True)
        ).format
        rows: Iterable[Iterable[str]] = ([text for text, _ in row] for row in self.rows)
        if widths != self.widths():
            rows = (map(shortened, row, widths) for row in rows)
        lines = [line(*(column.title for column in self.columns))]
        lines += [line(*row) for row in rows]
        return "\n".join(map(str.rstrip, lines))


@functools.lru_cache(maxsize=4096)
def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell, dimmed if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
