"""Rates per second, computed from counts, and their history."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.job.note_tubes import is_tick_tube
from jobqueue.operating.apart import (
    gone_with_failures,
    with_failures,
    without_notes,
)

_HISTORY = 240  # samples


@dataclass(frozen=True, slots=True)
class Sample:
    """The broker's counts at one moment."""

    at: float  # seconds, of a monotonic clock
    server: ServerStats
    tubes: Mapping[str, TubeStats]
    # Of which only the notes of failures are left:
    gone: Mapping[str, TubeStats] = field(default_factory=dict)
    due: int = 0  # schedules that are due, and wait for a worker to see it

    @classmethod
    def take(cls, connection: OperatorConnection) -> Self:
        """Ask for all counts, in three round trips for up to 500 tubes."""
        tubes = [*filter(None, connection.tube_stats(connection.tubes()))]
        return cls(
            time.monotonic(),
            without_notes(connection.server(), tubes),
            {tube.tube: tube for tube in with_failures(tubes)},
            {tube.tube: tube for tube in gone_with_failures(tubes)},
            sum(tube.ready > 0 for tube in tubes if is_tick_tube(tube.tube)),
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates per second since the last sample; None if they are not known."""

    puts: float | None = None
    deletes: float | None = None
    timeouts: float | None = None
    failures: float | None = None


class RateHistory:
    """The rates of the server and of its tubes, and those of the last samples."""

    def __init__(self) -> None:
        self._last: Sample | None = None
        self._server: Rates = Rates()
        self._tubes: dict[str, Rates] = {}
        self._ready: dict[str, deque[float]] = {}
        self._deleted: dict[str, deque[float]] = {}
        self.puts: deque[float] = deque(maxlen=_HISTORY)
        self.deletes: deque[float] = deque(maxlen=_HISTORY)

    def add(self, sample: Sample) -> None:
        """Add a sample."""
        last = self._last
        if last and last.server.pid != sample.server.pid:
            last = None  # the server has restarted, and counts from 0
        self._last = sample
        self._server = _server_rates(last, sample)
        self._tubes = {name: _tube_rates(last, sample, name) for name in sample.tubes}
        self.puts.append(self._server.puts or 0)
        self.deletes.append(self._server.deletes or 0)
        self._ready = _extended(
            self._ready, {name: tube.ready for name, tube in sample.tubes.items()}
        )
        self._deleted = _extended(
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
        """Return the number of ready jobs of a tube over time, the latest last."""
        return list(self._ready.get(name, ()))

    def deleted(self, name: str) -> list[float]:
        """Return the rate of deletes in a tube over time, the latest last."""
        return list(self._deleted.get(name, ()))


def _extended(
    before: Mapping[str, deque[float]], values: Mapping[str, float]
) -> dict[str, deque[float]]:
    """Return the histories with one more value, without tubes that are gone."""
    histories = {name: before.get(name, deque(maxlen=_HISTORY)) for name in values}
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
        failures=_rate(before.failures, tube.failures, seconds),
    )


def _rate(before: int, now: int, seconds: float) -> float | None:
    """Return a rate; None if a new tube of the same name counts from 0."""
    return (now - before) / seconds if seconds > 0 and now >= before else None
