"""The results of a run, as values and as JSON."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of one library: a value for each round, or why there is none."""

    measure: str
    library: str
    rounds: tuple[float, ...] = ()
    note: str = ""

    @property
    def median(self) -> float | None:
        """Return the middle value, or None if there is none."""
        return statistics.median(self.rounds) if self.rounds else None


@dataclass(frozen=True, slots=True)
class Result:
    """A whole run, with what a reader needs to judge it by and to repeat it."""

    command: str
    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    sizes: dict[str, object]
    figures: tuple[Figure, ...] = field(default=())

    @property
    def libraries(self) -> list[str]:
        """Return the libraries in the order in which they were measured."""
        return list(dict.fromkeys(figure.library for figure in self.figures))

    def figure(self, measure: str, library: str) -> Figure:
        """Return a figure; one that was not measured is empty."""
        for figure in self.figures:
            if (figure.measure, figure.library) == (measure, library):
                return figure
        return Figure(measure, library)

    def median(self, measure: str, library: str) -> float | None:
        """Return the median of a measure, or None if there is none."""
        return self.figure(measure, library).median

    def write(self, path: Path) -> None:
        """Write JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read what `write` wrote."""
        data = json.loads(path.read_text())
        figures = tuple(
            Figure(**{**figure, "rounds": tuple(figure["rounds"])})
            for figure in data.pop("figures")
        )
        return cls(**data, figures=figures)


class Notebook:
    """Collects figures while they are measured, round by round."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = {}
        self._notes: dict[tuple[str, str], str] = {}

    def add(self, measure: str, library: str, value: float) -> None:
        """Note a value of one round."""
        self._values.setdefault((measure, library), []).append(value)

    def remark(self, measure: str, library: str, note: str) -> None:
        """Note why there is no value, or how to read it."""
        self._values.setdefault((measure, library), [])
        self._notes[measure, library] = note

    def figures(self) -> tuple[Figure, ...]:
        """Return all figures."""
        return tuple(
            Figure(measure, library, tuple(values), self._notes.get(key, ""))
            for key, values in self._values.items()
            for measure, library in [key]
        )
