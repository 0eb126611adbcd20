"""A table as a value, and as plain text."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

BETWEEN = "  "  # columns


class Cell(NamedTuple):
    """Text, and how it looks where there are colours."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """What is above a column; numbers are aligned to the right."""

    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, one for each column."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def width(self) -> int:
        """Return how many characters the longest line has."""
        widths = self.widths()
        return sum(widths) + len(BETWEEN) * (len(widths) - 1)

    def widths(self, most: int | None = None) -> list[int]:
        """Return how many characters each column has.

        If a line has so many at most, it is the last column that gives way.
        """
        titles = [len(column.title) for column in self.columns]
        cells = zip(*self.rows, strict=True)
        longest = [max(len(text) for text, _ in column) for column in cells]
        *widths, last = map(max, titles, longest) if longest else titles
        if most is not None:
            room = most - sum(widths) - len(BETWEEN) * len(widths)
            last = min(last, max(room, titles[-1]))
        return [*widths, last]

    def plain(self, width: int | None = None) -> str:
        """Return the table as lines of text, cut to this width."""
        line = BETWEEN.join(
            f"{{:{'>' if column.is_number else '<'}{room}.{room}}}"
            for column, room in zip(self.columns, self.widths(width), strict=True)
        ).format
        lines = [line(*(column.title for column in self.columns))]
        lines += [line(*(text for text, _ in row)) for row in self.rows]
        return "\n".join(map(str.rstrip, lines))


@functools.lru_cache(maxsize=4096)
def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell that stands back if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
