"""A table as a value, and as plain text."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_BETWEEN = "  "


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
        return sum(self.widths()) + len(_BETWEEN) * (len(self.columns) - 1)

    def plain(self, width: int | None = None) -> str:
        """Return the table as lines of text.

        Of the last column is shown what a line of this width has room for.
        """
        widths = self.widths()
        if width is not None:
            taken = sum(widths[:-1]) + len(_BETWEEN) * (len(widths) - 1)
            widths[-1] = min(
                widths[-1], max(width - taken, len(self.columns[-1].title))
            )
        line = _BETWEEN.join(
            f"{{:{'>' if column.is_number else '<'}{width}.{width}}}"
            for column, width in zip(self.columns, widths, strict=True)
        ).format
        lines = [line(*(column.title for column in self.columns))]
        lines += [line(*(text for text, _ in row)) for row in self.rows]
        return "\n".join(map(str.rstrip, lines))

    def widths(self) -> list[int]:
        """Return how many characters each column has at most."""
        titles = [len(column.title) for column in self.columns]
        cells = zip(*self.rows, strict=True)
        longest = [max(len(text) for text, _ in column) for column in cells]
        return list(map(max, titles, longest)) if longest else titles


@functools.lru_cache(maxsize=4096)
def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell that stands back if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
