"""How `top` looks: lines about the server, and a table of its tubes."""

from collections.abc import Sequence

from jobqueue.admin.screen import formatting, views
from jobqueue.admin.screen.table import Cell, Column, Table, count
from jobqueue.admin.top.rates import Sample, Trends
from jobqueue.broker.stats import JobState, ServerStats, TubeStats

_TREND = 12  # characters, at least
_LONGEST_NAME = 24  # of a tube, where the screen is narrow
_WIDE = 110  # characters: room for a second trend
_FRAME = 7  # lines around the tubes


def screen(
    sample: Sample, trends: Trends, size: tuple[int, int], title: str
) -> list[Cell | Table]:
    """Return what to draw on a terminal of so many columns and lines."""
    width, height = size
    shown = _most_telling(list(sample.tubes.values()), max(1, height - _FRAME))
    more = len(sample.tubes) - len(shown)
    return [
        Cell(title, "bold"),
        Cell(server(sample.server), "dim"),
        Cell(_flow(trends, width)),
        Cell(""),
        tubes(shown, trends, width),
        Cell(f"and {formatting.number_of(more, 'tube')} more" if more else ""),
    ]


def server(record: ServerStats) -> str:
    """Return what there is to say about the server, in few characters."""
    parts = [
        f"beanstalkd {formatting.printable(record.version)}",
        "draining"
        if record.is_draining
        else f"up {formatting.duration(record.uptime)}",
        "with a binlog" if record.has_binlog else "no binlog",
        formatting.number_of(record.connections, "connection"),
        f"{record.waiting:,} waiting for jobs",
    ]
    return ", ".join(parts)


def _flow(trends: Trends, width: int) -> str:
    rates = trends.server
    room = max(_TREND, (width - 50) // 2)
    return (
        f"put/s {formatting.rate(rates.puts):>7} "
        f"{formatting.sparkline(list(trends.puts), room)}"
        f"   deleted/s {formatting.rate(rates.deletes):>7} "
        f"{formatting.sparkline(list(trends.deletes), room)}"
    )


def tubes(records: Sequence[TubeStats], trends: Trends, width: int) -> Table:
    """Return the table of the tubes."""
    is_wide = width >= _WIDE
    columns = [
        Column("TUBE"),
        *views.state_columns(),
        Column("WAIT", is_number=True),
        Column("PUT/S", is_number=True),
        Column("DEL/S", is_number=True),
    ]
    rows = [_row(tube, trends, is_wide=is_wide) for tube in records]
    room = width - Table(columns, rows).width() - 2
    trend = max(_TREND, room // 2 - 1) if is_wide else max(0, room - 1)
    columns.append(Column("READY TREND" if is_wide else "TREND"))
    for row, tube in zip(rows, records, strict=True):
        row.append(Cell(formatting.sparkline(trends.ready(tube.tube), trend), "green"))
    if is_wide:
        columns.append(Column("DELETED TREND"))
        for row, tube in zip(rows, records, strict=True):
            row.append(
                Cell(formatting.sparkline(trends.deleted(tube.tube), trend), "cyan")
            )
    return Table(columns, rows)


def _row(tube: TubeStats, trends: Trends, *, is_wide: bool) -> list[Cell]:
    rates = trends.tube(tube.tube)
    name = views.name_of(tube)
    if not is_wide:
        name = name._replace(text=formatting.shortened(name.text, _LONGEST_NAME))
    return [
        name,
        *views.state_counts(tube),
        count(tube.waiting),
        Cell(formatting.rate(rates.puts), "" if rates.puts else "dim"),
        Cell(formatting.rate(rates.deletes), "" if rates.deletes else "dim"),
    ]


def _most_telling(tubes: list[TubeStats], lines: int) -> list[TubeStats]:
    """Return as many tubes as have room: those that have jobs first, by name."""
    by_jobs = sorted(tubes, key=lambda tube: (tube.count(JobState) == 0, tube.tube))
    return sorted(by_jobs[:lines], key=lambda tube: tube.tube)


def values(sample: Sample, trends: Trends) -> dict[str, object]:
    """Return what ``top --json`` prints of one moment."""
    rates = trends.server
    return {
        "server": sample.server.as_dict()
        | {
            "puts_per_second": rates.puts,
            "deletes_per_second": rates.deletes,
            "timeouts_per_second": rates.timeouts,
        },
        "tubes": [
            tube.as_dict()
            | {
                "puts_per_second": trends.tube(tube.tube).puts,
                "deletes_per_second": trends.tube(tube.tube).deletes,
            }
            for tube in sample.tubes.values()
        ],
    }
