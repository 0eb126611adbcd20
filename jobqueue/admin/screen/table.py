"""A table as a value, and as plain text."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

COLUMN_GAP = "  "


class Cell(NamedTuple):
    """Text, and its style on a terminal with colours."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column. Numbers are aligned to the right."""

    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, one for each column."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def width(self) -> int:
        """Return the characters of the longest line."""
        widths = self.widths()
        return sum(widths) + len(COLUMN_GAP) * (len(widths) - 1)

    def widths(self, max_width: int | None = None) -> list[int]:
        """Return the characters of each column.

        If a line may have ``max_width`` characters only, the last column is cut.
        """
        titles = [len(column.title) for column in self.columns]
        cells = zip(*self.rows, strict=True)
        longest = [max(len(text) for text, _ in column) for column in cells]
        *widths, last = map(max, titles, longest) if longest else titles
        if max_width is not None:
            room = max_width - sum(widths) - len(COLUMN_GAP) * len(widths)
            last = min(last, max(room, titles[-1]))
        return [*widths, last]

    def plain(self, width: int | None = None) -> str:
        """Return the table as lines of text, cut to a width."""
        line = COLUMN_GAP.join(
            f"{{:{'>' if column.is_number else '<'}{room}.{room}}}"
            for column, room in zip(self.columns, self.widths(width), strict=True)
        ).format
        lines = [line(*(column.title for column in self.columns))]
        lines += [line(*(text for text, _ in row)) for row in self.rows]
        return "\n".join(map(str.rstrip, lines))


@functools.lru_cache(maxsize=4096)
def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell, dimmed if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
