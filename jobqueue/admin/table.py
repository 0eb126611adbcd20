"""A table as a value, and as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


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

    def plain(self) -> str:
        """Return the table as lines of text."""
        titles = [Cell(column.title) for column in self.columns]
        rows = [titles, *self.rows]
        widths = [max(len(row[n].text) for row in rows) for n in range(len(titles))]
        return "\n".join(self._line(row, widths) for row in rows)

    def _line(self, row: Sequence[Cell], widths: Sequence[int]) -> str:
        cells = (
            cell.text.rjust(width) if column.is_number else cell.text.ljust(width)
            for cell, column, width in zip(row, self.columns, widths, strict=True)
        )
        return "  ".join(cells).rstrip()


def count(number: int, style: str = "") -> Cell:
    """Return a number as a cell that stands back if it is 0."""
    return Cell(f"{number:,}", style if number else "dim")
