"""Drawing with rich: tables in colour, progress bars, and the live screen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from jobqueue.admin.screen.table import COLUMN_GAP, Cell, Table
from jobqueue.safe_text import one_line


def show(table: Table) -> None:
    """Print a table."""
    console = Console(highlight=False)
    # A line that is too long wraps: rich would cut numbers.
    console.width = max(console.width, table.width(console.width))
    console.print(_table(table, console.width), crop=False)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error, and remove it at the end."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=total)
        yield lambda done, total: bar.update(task, completed=done, total=total)


Draw = Callable[[list[Cell | Table]], None]


@contextmanager
def screen() -> Iterator[Draw]:
    """Draw on the whole terminal, and restore its content at the end."""
    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def draw(parts: list[Cell | Table]) -> None:
            width = console.width
            drawn = (
                _table(part, width) if isinstance(part, Table) else _text(part)
                for part in parts
            )
            live.update(Group(*drawn), refresh=True)

        yield draw


def _text(cell: Cell) -> Text:
    text = one_line(cell.text)
    return Text(text, style=cell.style, no_wrap=True, overflow="ellipsis")


def _table(table: Table, width: int) -> RichTable:
    drawn = RichTable(box=None, pad_edge=False, padding=(0, len(COLUMN_GAP), 0, 0))
    drawn.header_style = "dim"
    widths = table.widths(width)
    for column, column_width in zip(table.columns, widths, strict=True):
        drawn.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            width=column_width,
            no_wrap=True,
        )
    for row in table.rows:
        drawn.add_row(*map(_text, row))
    return drawn
