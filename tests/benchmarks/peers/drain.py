"""Watching a file grow while jobs are processed."""

import time
from dataclasses import dataclass

from tests.benchmarks.peers.stage import POLL, Stage


@dataclass(frozen=True, slots=True)
class Drain:
    """The numbers of done jobs over time: a sample at each change."""

    expected: int
    started: float
    samples: tuple[tuple[float, int], ...]

    @property
    def done(self) -> int:
        """Return how many jobs were done in the time that there was."""
        return self.samples[-1][1]

    @property
    def is_complete(self) -> bool:
        """Whether all jobs were done."""
        return self.done >= self.expected

    def rate(self, skipped: float) -> float:
        """Return jobs a second, after a first part of the jobs that were done."""
        begun = next(s for s in self.samples if s[1] >= skipped * self.done)
        ended = self.samples[-1]
        if begun == ended:  # too few for a rate
            begun = (self.started, 0)
        return (ended[1] - begun[1]) / (ended[0] - begun[0])

    def total(self, rate: float) -> float:
        """Return the seconds to the last job: an estimate for a drain that was cut."""
        last, done = self.samples[-1]
        return last - self.started + (self.expected - done) / rate


def watch(stage: Stage, expected: int, started: float, deadline: float) -> Drain:
    """Watch until all jobs are done, or until a number of seconds after the start."""
    samples: list[tuple[float, int]] = []
    done = 0
    while done < expected and time.monotonic() < started + deadline:
        now, written = time.monotonic(), stage.written()
        if written > done:
            done = written
            samples.append((now, done))
        time.sleep(POLL)
    if not samples:
        raise RuntimeError(f"no job of {stage.contender.name} was done:\n{stage.log()}")
    return Drain(expected, started, tuple(samples))
