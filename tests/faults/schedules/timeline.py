"""What has happened to the workers, the broker and the clock, and when.

Moments are by ``time.monotonic()``, which no step of the clock changes. Due times are
by the clock that the workers see.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, Self


class Fault(NamedTuple):
    """A fault, from its beginning to its end."""

    name: str
    begin: float
    end: float


class Jump(NamedTuple):
    """A step of the clock, from one Unix time to another."""

    at: float
    before: float
    after: float


@dataclass(slots=True)
class Timeline:
    """The faults of a campaign, and the clock of its workers."""

    faults: list[Fault] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    deploys: list[tuple[float, int]] = field(default_factory=list)  # end, version
    is_one_machine: bool = False  # the broker sees the same clock as the workers
    begin: float = field(default_factory=time.monotonic)
    end: float = float("inf")
    offset: int = 0  # seconds of the clock
    real: float = field(default_factory=lambda: time.time() - time.monotonic())

    def save(self, file: Path) -> None:
        """Write it to a file, from which :meth:`load` reads it."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Return what :meth:`save` has written."""
        fields = json.loads(file.read_text())
        faults = [Fault(*fault) for fault in fields.pop("faults")]
        jumps = [Jump(*jump) for jump in fields.pop("jumps")]
        deploys = [(at, version) for at, version in fields.pop("deploys")]
        return cls(faults, jumps, deploys, **fields)

    def __str__(self) -> str:
        """Return what has happened in lines, by the clock of the workers."""
        events = [
            *((f.begin, f.end, f.name) for f in self.faults),
            *((j.at, j.at, f"to {j.after:.1f}") for j in self.jumps),
            *((at, at, f"version {version}") for at, version in self.deploys),
        ]
        return "\n".join(
            f"{self.clock(begin - 0.001):.1f} to {self.clock(end):.1f}: {what}"
            for begin, end, what in sorted(events)
        )

    def clock(self, moment: float | None = None) -> float:
        """Return the Unix time that workers see, now or at a moment."""
        moment = time.monotonic() if moment is None else moment
        offset = 0.0
        for jump in self.jumps:
            if jump.at <= moment:
                offset += jump.after - jump.before
        return moment + self.real + offset

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Note a fault that lasts as long as the block."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.faults.append(Fault(name, begin, time.monotonic()))

    def step(self, seconds: int) -> None:
        """Note that the clock is set by some seconds now."""
        now = time.monotonic()
        before = self.clock(now)
        self.jumps.append(Jump(now, before, before + seconds))
        self.offset += seconds

    def moments_of(self, due: int) -> list[float]:
        """Return the moments at which the clock shows a time; none if it was jumped."""
        found = []
        begin, offset = self.begin, 0.0
        for jump in [*self.jumps, None]:
            end = jump.at if jump else float("inf")
            moment = due - self.real - offset
            if begin <= moment < end:
                found.append(moment)
            if jump:
                begin, offset = jump.at, offset + jump.after - jump.before
        return found

    def highest(self, moment: float, since: float = float("-inf")) -> float:
        """Return the latest time that the clock has shown up to a moment."""
        past = [jump.before for jump in self.jumps if since < jump.at <= moment]
        return max(self.clock(moment), *past, 0)

    def passed(self, due: int, since: float = float("-inf")) -> float:
        """Return the first moment at which the clock showed a time, or jumped it."""
        jumps = [jump.at for jump in self.jumps if jump.before <= due <= jump.after]
        moments = [at for at in (*self.moments_of(due), *jumps) if at > since]
        return min(moments, default=float("inf"))

    def next_jump(self, jump: Jump, end: float) -> float:
        """Return the moment of the jump after this one; ``end`` if there is none."""
        return min(
            (other.at for other in self.jumps if other.at > jump.at), default=end
        )

    def was_jumped(self, due: int) -> bool:
        """Return whether a step of the clock has skipped a due time."""
        return any(jump.before - 0.2 <= due <= jump.after for jump in self.jumps)

    def near(self, moment: float, margin: float) -> list[Fault]:
        """Return the faults at a moment, or so many seconds before or after it."""
        return [
            fault
            for fault in self.faults
            if fault.begin - margin <= moment <= fault.end + margin
        ]
