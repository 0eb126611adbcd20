"""How the rate holds as the backlog grows: two workers, at several sizes."""

import signal
import threading
import time
from dataclasses import dataclass

from tests.benchmarks.peers import process_tree
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.contenders import Contender
from tests.benchmarks.peers.measure_resources import await_first, put_to_stopped
from tests.benchmarks.peers.stage import Stage, wait_until

WORKERS = 2
FILLERS = 2
CHUNK = 2_000
STARTING = 1  # seconds after the first job before a window opens


def measure(bench: Bench, contender: Contender, limit: int) -> None:
    """Measure a library at each size, up to a limit."""
    small, *large = bench.settings.backlogs
    _small(bench, contender, small)
    with bench.stage(contender) as stage:
        backlog = Backlog(bench, stage)
        for number, size in enumerate(large, start=1):
            name = f"backlog_{number}"
            if size > limit:
                bench.book.remark(name, contender.name, "left out")
                continue
            for _ in range(bench.settings.rounds):
                if not backlog.fill(size):
                    minutes = bench.settings.fill_budget / 60
                    note = f"not filled in {minutes:.2g} min"
                    bench.book.remark(name, contender.name, note)
                    return
                bench.book.add(name, contender.name, backlog.rate())


def _small(bench: Bench, contender: Contender, size: int) -> None:
    """Drain a small backlog several times, as it does not last for a window.

    The workers run already. They are stopped while it is filled, so that the producer
    takes no CPU from them afterwards.
    """
    with bench.stage(contender) as stage:
        stage.fill(1)
        with stage.workers(WORKERS) as session:
            await_first(bench, stage)
            time.sleep(bench.settings.settle)
            ending = time.monotonic() + bench.settings.drains_budget
            for drain in range(1, bench.settings.drains + 1):
                put_to_stopped(stage, session, size)
                rate, is_drained = _drained(
                    bench, stage, session, 1 + drain * (1 + size)
                )
                bench.book.add("backlog_0", contender.name, rate)
                if not is_drained or time.monotonic() > ending:
                    break


def _drained(
    bench: Bench, stage: Stage, session: int, expected: int
) -> tuple[float, bool]:
    """Let stopped workers go on; return their rate, and whether all jobs were done."""
    done, started = stage.written(), time.monotonic()
    process_tree.send(session, signal.SIGCONT)
    patience = bench.settings.drains_budget / 2
    is_drained = wait_until(lambda: stage.written() >= expected, patience)
    return (stage.written() - done) / (time.monotonic() - started), is_drained


@dataclass(slots=True)
class Backlog:
    """Keeps a number of jobs waiting, and measures workers on them."""

    bench: Bench
    stage: Stage
    put: int = 0

    def fill(self, size: int) -> bool:
        """Put missing jobs with several producers; return whether there was time."""
        missing = size - (self.put - self.stage.written())
        deadline = time.monotonic() + self.bench.settings.fill_budget
        share = -(-missing // FILLERS)
        counts: list[int] = []
        threads = [
            threading.Thread(target=lambda: counts.append(self._fill(share, deadline)))
            for _ in range(FILLERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.put += sum(counts)
        return len(counts) == FILLERS and sum(counts) >= missing

    def _fill(self, share: int, deadline: float) -> int:
        """Put chunks until a share is put or the time is over; return how many."""
        done = 0
        with self.stage.producer() as producer:
            while done < share and time.monotonic() < deadline:
                chunk = min(CHUNK, share - done)
                producer.put_fastest(chunk)
                done += chunk
        return done

    def rate(self) -> float:
        """Return jobs a second over a window, by workers that were started for it."""
        begun = self.stage.written()
        with self.stage.workers(WORKERS):
            wait_until(
                lambda: self.stage.written() > begun,
                self.bench.settings.drain_deadline,
            )
            time.sleep(min(STARTING, self.bench.settings.window))
            written, started = self.stage.written(), time.monotonic()
            time.sleep(self.bench.settings.window)
            jobs = self.stage.written() - written
            return jobs / (time.monotonic() - started)
