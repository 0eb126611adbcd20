"""Results as SVG: bars with the spread of the rounds, readable in light and dark."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.benchmarks.peers.claims import OWN
from tests.benchmarks.peers.measures import BY_NAME, FLOOR, Measure
from tests.benchmarks.peers.result import Figure, Result
from tests.benchmarks.peers.table import number

PLOTS = {
    "put": ("How fast one process puts jobs", ("put", "put_many")),
    "work": (
        "How fast no-op jobs are processed",
        ("rate_1", "rate_2", "rate_10"),
    ),
    "latency": ("How long a job takes from put to start", ("p50", "p99", "p999")),
    "memory": ("Memory of a worker, all processes", ("memory_1", "memory_10")),
    "backlog": (
        "How the rate holds as the backlog grows",
        ("backlog_0", "backlog_1", "backlog_2"),
    ),
    "start": ("Imports and starts", ("import", "make", "start")),
}

ONE_SCALE = {"backlog"}  # for all of its panels
LOGARITHMIC = {"p50", "p99", "p999"}  # they differ by orders of magnitude

# Without a style sheet's dark half, these are dark on white: legible everywhere.
STYLE = """
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.panel { font-weight: 600 }
.faint { fill: #59636e }
.paper { fill: #ffffff }
.own { fill: #1a7f6b }
.peer { fill: #a7b4c2 }
.spread { stroke: #1f2328; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .faint { fill: #9198a1 }
  .paper { fill: #0d1117 }
  .own { fill: #3fb99b }
  .peer { fill: #57636f }
  .spread { stroke: #e6edf3 }
}
"""

WIDTH = 800
MARGIN = 16
NAMES_END = 96  # where names end and bars begin
BARS = 400  # the longest bar: what follows it is a figure, and perhaps a note
BAR, ROW, HEAD, TITLE = 14, 22, 34, 40


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure: a bar for each library."""

    measure: Measure
    title: str
    figures: tuple[Figure, ...]
    compared: tuple[Figure, ...] = ()  # all that its bars are on one scale with

    @property
    def height(self) -> int:
        """Return how much room it takes."""
        return HEAD + ROW * len(self.figures)

    @property
    def is_logarithmic(self) -> bool:
        """Whether the scale of the bars is logarithmic."""
        return self.measure.name in LOGARITHMIC

    def length(self, value: float) -> float:
        """Return how long a bar is."""
        values = [
            value for figure in self.compared or self.figures for value in figure.rounds
        ]
        longest = max(values) or 1
        if not self.is_logarithmic:
            return BARS * value / longest
        begin = min(values) / 2
        return BARS * math.log(value / begin) / math.log(longest / begin)


def write_all(result: Result, folder: Path) -> list[Path]:
    """Write each plot of which there are figures."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (title, measures) in PLOTS.items():
        panels = [_panel(result, BY_NAME[measure]) for measure in measures]
        panels = [panel for panel in panels if any(f.rounds for f in panel.figures)]
        if name in ONE_SCALE:
            compared = tuple(figure for panel in panels for figure in panel.figures)
            panels = [dataclasses.replace(panel, compared=compared) for panel in panels]
        if panels:
            path = folder / f"{name}.svg"
            path.write_text(plot(title, panels))
            written.append(path)
    return written


def plot(title: str, panels: Sequence[Panel]) -> str:
    """Return one picture: panels below each other, each with a scale of its own."""
    height = TITLE + sum(panel.height for panel in panels) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>',
        _text(MARGIN, TITLE - 12, title, "title"),
    ]
    top = TITLE
    for panel in panels:
        parts += _draw(panel, top)
        top += panel.height
    return "\n".join([*parts, "</svg>", ""])


def _panel(result: Result, measure: Measure) -> Panel:
    names = [name for name in result.libraries if name != FLOOR]
    figures = tuple(result.figure(measure.name, name) for name in names)
    return Panel(measure, measure.titled(result.sizes), figures)


def _draw(panel: Panel, top: int) -> Iterable[str]:
    better = "more is better" if panel.measure.more_is_better else "less is better"
    if panel.is_logarithmic:
        better += ", logarithmic"
    yield (
        f'<text class="panel" x="{MARGIN}" y="{top + 20}">{escape(panel.title)}'
        f'<tspan class="faint" font-weight="400">: {panel.measure.unit}, {better}'
        "</tspan></text>"
    )
    for number_of_row, figure in enumerate(panel.figures):
        yield from _bar(figure, panel, top + HEAD + ROW * number_of_row)


def _bar(figure: Figure, panel: Panel, top: int) -> Iterable[str]:
    base = top + BAR - 2
    yield _text(NAMES_END - 8, base, figure.library, anchor="end")
    if figure.median is None:
        yield _text(NAMES_END + 4, base, figure.note or "not measured", "faint")
        return
    low, mid, high = (
        panel.length(value)
        for value in (min(figure.rounds), figure.median, max(figure.rounds))
    )
    kind = "own" if figure.library == OWN else "peer"
    yield (
        f'<rect class="{kind}" x="{NAMES_END}" y="{top}" width="{max(mid, 1):.1f}" '
        f'height="{BAR}" rx="2"/>'
    )
    if high - low >= 1:
        yield _whisker(NAMES_END + low, NAMES_END + high, top)
    label = number(figure.median) + (f" ({figure.note})" if figure.note else "")
    yield _text(NAMES_END + max(high, 1) + 8, base, label)


def _whisker(low: float, high: float, top: int) -> str:
    middle = top + BAR / 2
    return (
        f'<path class="spread" d="M{low:.1f} {middle:g}H{high:.1f}'
        f'M{low:.1f} {middle - 4:g}v8M{high:.1f} {middle - 4:g}v8"/>'
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    name = f' class="{kind}"' if kind else ""
    end = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{name} x="{x:.1f}" y="{y:g}"{end}>{escape(text)}</text>'
