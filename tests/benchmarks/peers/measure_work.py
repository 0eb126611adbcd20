"""How fast jobs are processed that wait already when the workers start."""

import time

from tests.benchmarks.peers import drain
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.contenders import Contender

WORKERS = (1, 2, 10)
STARTING = 0.25  # the part of the jobs that is done before the rate is steady


def noop(bench: Bench, contender: Contender) -> None:
    """Measure no-op jobs, with each number of workers."""
    for workers in WORKERS:
        _noop(bench, contender, workers)


def _noop(bench: Bench, contender: Contender, workers: int) -> None:
    jobs, deadline = bench.settings.drain_jobs, bench.settings.drain_deadline
    with bench.stage(contender) as stage:
        stage.fill(jobs)
        started = time.monotonic()
        with stage.workers(workers):
            found = drain.watch(stage, jobs, started, deadline)
    rate = found.rate(STARTING)
    bench.book.add(f"rate_{workers}", contender.name, rate)
    bench.book.add(f"total_{workers}", contender.name, found.total(rate))
    if not found.is_complete:
        note = f"estimated from what was done in {deadline:g} s"
        bench.book.remark(f"total_{workers}", contender.name, note)


def waiting(bench: Bench, contender: Contender) -> None:
    """Measure jobs that wait, in one process that works on several at a time."""
    if not contender.slots:
        bench.book.remark("waiting", contender.name, "no slots")
        return
    jobs, deadline = bench.settings.waits, bench.settings.drain_deadline
    with bench.stage(contender) as stage:
        with stage.producer() as producer:
            producer.put("wait", jobs)
        started = time.monotonic()
        with stage.slots(bench.settings.slots):
            found = drain.watch(stage, jobs, started, deadline)
    # From the end of the first jobs to that of the last.
    bench.book.add("waiting", contender.name, found.rate(bench.settings.slots / jobs))
