"""Results as Markdown tables: the best of each row in bold."""

from collections.abc import Iterable, Sequence

from tests.benchmarks.peers.measures import (
    BY_NAME,
    FLOOR,
    FLOORS,
    IN_README,
    MEASURES,
    Measure,
)
from tests.benchmarks.peers.result import Figure, Result

NOTES = "¹²³⁴⁵⁶⁷⁸⁹"


def number(value: float) -> str:
    """Return a number with three significant digits, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def readme_table(result: Result) -> str:
    """Return the table of the README: medians of five measures."""
    return _Table(result, [BY_NAME[name] for name in IN_README]).text()


def short_table(result: Result) -> str:
    """Return the table of the page about benchmarks: medians, one row a measure."""
    return _Table(result, [m for m in MEASURES if m.is_short]).text()


def long_table(result: Result) -> str:
    """Return the table of all measures, with the spread of the rounds."""
    return _Table(result, MEASURES, is_long=True).text()


def floor_table(result: Result) -> str:
    """Return the table of the floors."""
    rows = [["", "median", "lowest to highest"], ["---", "---:", "---:"]]
    for measure in FLOORS:
        figure = result.figure(measure.name, FLOOR)
        if figure.median is not None:
            value = f"{number(figure.median)} {measure.unit}"
            rows.append([measure.titled(result.sizes), value, _spread(figure)])
    return _lines(rows)


def environment(result: Result) -> str:
    """Return the machine and the versions, in two lines."""
    machine = result.machine
    versions = ", ".join(f"{name} {value}" for name, value in result.versions.items())
    return (
        f"{result.date}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory']}, {machine['system']}, Linux {machine['kernel']}; "
        f"{versions}."
    )


class _Table:
    """Collects footnotes while it makes rows."""

    def __init__(
        self, result: Result, measures: Iterable[Measure], *, is_long: bool = False
    ) -> None:
        self._result = result
        self._measures = measures
        self._is_long = is_long
        self._libraries = [name for name in result.libraries if name != FLOOR]
        self._notes: list[str] = []

    def text(self) -> str:
        rows = [["", *self._libraries], ["---", *["---:"] * len(self._libraries)]]
        for measure in self._measures:
            rows += self._row(measure)
        notes = [f"{NOTES[i]} {note}" for i, note in enumerate(self._notes)]
        return _lines(rows) + (f"\n{'; '.join(notes)}.\n" if notes else "")

    def _row(self, measure: Measure) -> list[list[str]]:
        figures = [self._result.figure(measure.name, name) for name in self._libraries]
        medians = [figure.median for figure in figures if figure.median is not None]
        if not medians:
            return []
        best = max(medians) if measure.more_is_better else min(medians)
        title = f"{measure.titled(self._result.sizes)}, {measure.unit}"
        return [[title, *(self._cell(figure, best) for figure in figures)]]

    def _cell(self, figure: Figure, best: float) -> str:
        if figure.median is None:
            return figure.note or "-"
        text = number(figure.median)
        if text == number(best):
            text = f"**{text}**"
        if figure.note:
            text += self._mark(figure.note)
        if self._is_long and len(figure.rounds) > 1:
            text += f" ({_spread(figure)})"
        return text

    def _mark(self, note: str) -> str:
        if note not in self._notes:
            self._notes.append(note)
        return NOTES[self._notes.index(note)]


def _spread(figure: Figure) -> str:
    return f"{number(min(figure.rounds))} to {number(max(figure.rounds))}"


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
