"""Samples: the counts of all tubes, taken at a steady pace, and shared by all readers.

However many people look, the broker is asked once for each sample. A thread takes them
while somebody looks, and for a while after: the lines of the last minutes need no one
to have had the page open all the time.
"""

import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobStats
from jobqueue.errors import BrokerError
from jobqueue.operating.operator import Operator
from jobqueue.operating.rates import RateHistory, Rates, Sample

PACE = 3.0  # seconds between two samples
LINGER = 900.0  # seconds for which samples go on after the last look
_GRACE = 5  # seconds that a schedule may be due before it is late


@dataclass(frozen=True, slots=True)
class TubeView:
    """A tube as pages show it: its counts, its rates, and how many jobs were ready."""

    stats: TubeStats
    rates: Rates
    ready: list[float]  # in each of the last samples

    @property
    def name(self) -> str:
        """The tube's name."""
        return self.stats.tube

    @property
    def lacks_workers(self) -> bool:
        """Whether jobs are ready, and nobody watches the tube to take them."""
        return self.stats.ready > 0 and not self.stats.watching

    @property
    def is_in_trouble(self) -> bool:
        """Whether somebody has to look at it: jobs failed for good, or none runs."""
        return self.stats.buried > 0 or self.lacks_workers


@dataclass(frozen=True, slots=True)
class Counts:
    """The latest sample, with the rates since the one before."""

    server: ServerStats
    rates: Rates
    tubes: list[TubeView]  # by name
    gone: Mapping[str, TubeStats]  # of which only the notes of failures are left

    def tube(self, name: str) -> TubeView | None:
        """Return a tube; None if there is no such tube."""
        return next((tube for tube in self.tubes if tube.name == name), None)

    def failed_in(self, name: str) -> TubeStats | None:
        """Return the counts of a tube with failures, which may be gone itself."""
        tube = self.tube(name)
        return tube.stats if tube else self.gone.get(name)


class Samples:
    """Takes samples while they are asked for, for any number of threads."""

    def __init__(self, operator: Operator, pace: float = PACE) -> None:
        self._operator = operator
        self._pace = pace
        self._lock = threading.Lock()
        self._history = RateHistory()
        self._last: Sample | None = None
        self._next_ready: dict[str, JobStats | None] = {}  # as of the last sample
        self._late_schedules: int | None = None  # as of the last sample
        self._last_look = 0.0
        self._thread: threading.Thread | None = None

    def counts(self) -> Counts:
        """Return the latest counts, at most a pace old. Raises ``BrokerError``."""
        self._last_look = time.monotonic()
        with self._lock:
            self._update()
            self._start_thread()
            return self._counts()

    def next_ready(self, names: Sequence[str]) -> Mapping[str, JobStats]:
        """Return the next ready job of each of these tubes that has one.

        Its body comes along, so each tube is asked about once for each sample.
        """
        with self._lock:
            known = self._next_ready
            if new := [name for name in names if name not in known]:
                known |= dict.fromkeys(new)
                known |= {job.tube: job for job in self._operator.next_ready(*new)}
            return {name: job for name in names if (job := known[name])}

    def late_schedules(self) -> int:
        """Return how many schedules are late. They are read only while one is due."""
        with self._lock:
            if self._late_schedules is None:
                is_one_due = self._last is not None and self._last.due
                found = self._operator.schedules() if is_one_due else []
                late = [schedule for schedule in found if schedule.late > _GRACE]
                self._late_schedules = len(late)
            return self._late_schedules

    def expire(self) -> None:
        """Have the next look take a new sample, as something was changed."""
        with self._lock:
            self._last = None

    def _update(self) -> None:
        """Take a sample, unless the last one is new enough."""
        last = self._last
        if last is None or time.monotonic() - last.at >= self._pace:
            self._last = None  # if the broker is away, there are no counts
            self._last = self._operator.sample()
            self._next_ready = {}
            self._late_schedules = None
            self._history.add(self._last)

    def _counts(self) -> Counts:
        if self._last is None:  # never: it has been taken just now
            raise BrokerError("the broker's counts are not known")
        history, sample = self._history, self._last
        tubes = [
            TubeView(stats, history.tube(name), history.ready(name))
            for name, stats in sorted(sample.tubes.items())
        ]
        return Counts(sample.server, history.server, tubes, sample.gone)

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=_keep_sampling,
                args=(weakref.ref(self), self._pace),
                name="jobqueue-web-samples",
                daemon=True,
            )
            self._thread.start()

    def continue_sampling(self) -> bool:
        """Take a sample, and return whether the thread is to take another one."""
        with self._lock:
            if time.monotonic() - self._last_look > LINGER:
                self._thread = None
                return False
            with suppress(BrokerError):  # those who look are told
                self._update()
            return True


def _keep_sampling(samples: "weakref.ref[Samples]", pace: float) -> None:
    """Take samples for as long as there is somebody to look at them."""
    while True:
        time.sleep(pace)
        found = samples()
        if found is None or not found.continue_sampling():
            return
        del found  # while this sleeps, the application may go
