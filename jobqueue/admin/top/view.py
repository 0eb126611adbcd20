"""The screen of `top`: lines about the server, and a table of its tubes."""

from collections.abc import Sequence

from jobqueue.admin.screen import views
from jobqueue.admin.screen.table import COLUMN_GAP, Cell, Column, Table, count
from jobqueue.broker.address import Address
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState
from jobqueue.operating import formatting
from jobqueue.operating.rates import RateHistory, Sample
from jobqueue.safe_text import one_line

_MIN_TREND = 12  # characters
_WIDE = 110  # characters: enough for a second trend
_OTHER_LINES = 7  # beside those of the tubes


def screen(
    sample: Sample, history: RateHistory, size: tuple[int, int], titles: Sequence[str]
) -> list[Cell | Table]:
    """Return the parts of the screen, for a size in columns and lines.

    It has the first of the titles that there is room for.
    """
    width, height = size
    shown = _most_relevant(list(sample.tubes.values()), max(1, height - _OTHER_LINES))
    more = len(sample.tubes) - len(shown)
    return [
        Cell(_fitting(titles, width), "bold"),
        Cell(_fitting(_servers(sample.server), width), "dim"),
        Cell(_flow(history, width)),
        Cell(""),
        tubes(shown, history, width),
        Cell(f"and {formatting.number_of(more, 'tube')} more" if more else ""),
    ]


def _fitting(texts: Sequence[str], width: int) -> str:
    """Return the first text that lines have room for, or else the last one."""
    return next((text for text in texts if len(text) <= width), texts[-1])


def titles(address: Address, interval: float) -> list[str]:
    """Return the title in several lengths, the longest first."""
    end = f"every {interval:g} s, q quits"
    return [
        f"jobqueue top   {address}   {end}",
        f"{address}   {end}",
        f"{address}   q quits",
        "jobqueue top   q quits",
    ]


def server(record: ServerStats) -> str:
    """Return the line about the server."""
    return _servers(record)[0]


def _servers(record: ServerStats) -> list[str]:
    """Return the line about the server in several lengths, the longest first."""
    version = f"beanstalkd {one_line(record.version)}"
    up = f"up {formatting.duration(record.uptime)}"
    state = "draining" if record.is_draining else up
    binlog = "with a binlog" if record.has_binlog else "no binlog"
    connections = formatting.number_of(record.connections, "connection")
    waiting = f"{record.waiting:,} waiting"
    lines = (
        (version, state, binlog, connections, waiting),
        (version, state, connections, waiting),
        (version, state, waiting),
        (version, state),
    )
    return [", ".join(parts) for parts in lines]


def _flow(history: RateHistory, width: int) -> str:
    rates = history.server
    room = (width - 50) // 2
    puts = f"put/s {formatting.rate(rates.puts):>7}"
    deletes = f"deleted/s {formatting.rate(rates.deletes):>7}"
    if room < _MIN_TREND:
        return f"{puts}   {deletes}"
    return (
        f"{puts} {formatting.sparkline(list(history.puts), room)}"
        f"   {deletes} {formatting.sparkline(list(history.deletes), room)}"
    )


def tubes(records: Sequence[TubeStats], history: RateHistory, width: int) -> Table:
    """Return the table of the tubes."""
    is_wide = width >= _WIDE
    columns = [
        views.TUBE_COLUMN,
        *views.state_columns(),
        *map(views.tube_number, ("WAIT", "PUT/S", "DEL/S", "FAIL/S")),
    ]
    trends = ["READY TREND", "DELETED TREND"] if is_wide else ["TREND"]
    gap = len(COLUMN_GAP)
    least = sum(gap + len(title) for title in trends)
    numbers = Table(columns, [_row(tube, history) for tube in records])
    numbers = numbers.fitted(width - least)
    columns, rows = list(numbers.columns), list(map(list, numbers.rows))
    room = width - numbers.width(width - least)
    trend_width = max(room // len(trends) - gap, len(trends[-1]))
    columns += [Column(title) for title in trends]
    for row, tube in zip(rows, records, strict=True):
        ready = formatting.sparkline(history.ready(tube.tube), trend_width)
        row.append(Cell(ready, "green"))
        if is_wide:
            deleted = formatting.sparkline(history.deleted(tube.tube), trend_width)
            row.append(Cell(deleted, "cyan"))
    return Table(columns, rows)


def _row(tube: TubeStats, history: RateHistory) -> list[Cell]:
    rates = history.tube(tube.tube)
    return [
        views.name_of(tube),
        *views.state_counts(tube),
        count(tube.waiting),
        Cell(formatting.rate(rates.puts), "" if rates.puts else "dim"),
        Cell(formatting.rate(rates.deletes), "" if rates.deletes else "dim"),
        Cell(formatting.rate(rates.failures), "bold red" if rates.failures else "dim"),
    ]


def _most_relevant(tubes: list[TubeStats], lines: int) -> list[TubeStats]:
    """Return as many tubes as there are lines, preferably those with jobs, by name."""
    by_jobs = sorted(tubes, key=lambda tube: (tube.jobs_in(JobState) == 0, tube.tube))
    return sorted(by_jobs[:lines], key=lambda tube: tube.tube)


def values(sample: Sample, history: RateHistory) -> dict[str, object]:
    """Return the values of one sample in ``top --json``."""
    rates = history.server
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
                "puts_per_second": history.tube(tube.tube).puts,
                "deletes_per_second": history.tube(tube.tube).deletes,
                "failures_per_second": history.tube(tube.tube).failures,
            }
            for tube in sample.tubes.values()
        ],
    }
