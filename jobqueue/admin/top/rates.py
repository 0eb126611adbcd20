"""Rates per second, and how they went: what `top` shows beside the counts."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from jobqueue.broker.stats import ServerStats, TubeStats

_KEPT = 240  # samples


@dataclass(frozen=True, slots=True)
class Sample:
    """What the broker counts at one moment."""

    at: float  # seconds, of any clock that goes forward
    server: ServerStats
    tubes: Mapping[str, TubeStats]


@dataclass(frozen=True, slots=True)
class Rates:
    """How many a second, since the sample before; None if there was none."""

    puts: float | None = None
    deletes: float | None = None
    timeouts: float | None = None


class Trends:
    """Follows the counts from sample to sample."""

    def __init__(self) -> None:
        self._last: Sample | None = None
        self._server: Rates = Rates()
        self._tubes: dict[str, Rates] = {}
        self._ready: dict[str, deque[float]] = {}
        self._deleted: dict[str, deque[float]] = {}
        self.puts: deque[float] = deque(maxlen=_KEPT)
        self.deletes: deque[float] = deque(maxlen=_KEPT)

    def add(self, sample: Sample) -> None:
        """Take note of a new sample."""
        last = self._last
        if last and last.server.pid != sample.server.pid:
            last = None  # the server was restarted, and counts from 0
        self._last = sample
        self._server = _server_rates(last, sample)
        self._tubes = {name: _tube_rates(last, sample, name) for name in sample.tubes}
        self.puts.append(self._server.puts or 0)
        self.deletes.append(self._server.deletes or 0)
        self._ready = _longer(
            self._ready, {name: tube.ready for name, tube in sample.tubes.items()}
        )
        self._deleted = _longer(
            self._deleted,
            {name: rates.deletes or 0 for name, rates in self._tubes.items()},
        )

    @property
    def server(self) -> Rates:
        """The rates of the whole server."""
        return self._server

    def tube(self, name: str) -> Rates:
        """Return the rates of a tube."""
        return self._tubes.get(name, Rates())

    def ready(self, name: str) -> list[float]:
        """Return how many jobs of a tube were ready, the latest last."""
        return list(self._ready.get(name, ()))

    def deleted(self, name: str) -> list[float]:
        """Return at which rates jobs of a tube were deleted, the latest last."""
        return list(self._deleted.get(name, ()))


def _longer(
    before: Mapping[str, deque[float]], values: Mapping[str, float]
) -> dict[str, deque[float]]:
    """Return the histories with one more value; those of tubes that are gone, go."""
    histories = {name: before.get(name, deque(maxlen=_KEPT)) for name in values}
    for name, value in values.items():
        histories[name].append(value)
    return histories


def _server_rates(last: Sample | None, now: Sample) -> Rates:
    if last is None:
        return Rates()
    seconds = now.at - last.at
    return Rates(
        puts=_rate(last.server.jobs, now.server.jobs, seconds),
        deletes=_rate(last.server.deletes, now.server.deletes, seconds),
        timeouts=_rate(last.server.timeouts, now.server.timeouts, seconds),
    )


def _tube_rates(last: Sample | None, now: Sample, name: str) -> Rates:
    before = last.tubes.get(name) if last else None
    if last is None or before is None:
        return Rates()
    seconds = now.at - last.at
    tube = now.tubes[name]
    return Rates(
        puts=_rate(before.puts, tube.puts, seconds),
        deletes=_rate(before.deletes, tube.deletes, seconds),
    )


def _rate(before: int, now: int, seconds: float) -> float | None:
    """Return a rate; None if the tube was made anew, so that it counts from 0."""
    return (now - before) / seconds if seconds > 0 and now >= before else None
