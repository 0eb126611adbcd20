"""The measures: names, units, and whether more or less is better."""

from collections.abc import Mapping
from dataclasses import dataclass

PUTS = "puts/s"
JOBS = "jobs/s"


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table. Braces in the title stand for the sizes of the run."""

    name: str
    title: str
    unit: str
    more_is_better: bool
    is_short: bool = False  # also in the table of docs/why/benchmarks.md

    def titled(self, sizes: Mapping[str, object]) -> str:
        """Return the title with the sizes of a run."""
        return self.title.format_map(sizes)


def _more(name: str, title: str, unit: str, *, is_short: bool = False) -> Measure:
    return Measure(name, title, unit, more_is_better=True, is_short=is_short)


def _less(name: str, title: str, unit: str, *, is_short: bool = False) -> Measure:
    return Measure(name, title, unit, more_is_better=False, is_short=is_short)


MEASURES = (
    _more("put", "puts, one by one", PUTS, is_short=True),
    _more("put_many", "puts, in bulk", PUTS, is_short=True),
    _more("rate_1", "no-op jobs, 1 worker", JOBS, is_short=True),
    _more("rate_2", "no-op jobs, 2 workers", JOBS, is_short=True),
    _more("rate_10", "no-op jobs, 10 workers", JOBS, is_short=True),
    _less("total_1", "{drain_jobs:,} no-op jobs, 1 worker, with its start", "s"),
    _less("total_2", "{drain_jobs:,} no-op jobs, 2 workers, with their start", "s"),
    _less(
        "total_10",
        "{drain_jobs:,} no-op jobs, 10 workers, with their start",
        "s",
        is_short=True,
    ),
    _more(
        "waiting",
        "jobs that wait for 100 ms, 1 process, {slots} slots",
        JOBS,
        is_short=True,
    ),
    _less("p50", "put to start at {pace:g} jobs/s, p50", "ms", is_short=True),
    _less("p99", "put to start at {pace:g} jobs/s, p99", "ms", is_short=True),
    _less("p999", "put to start at {pace:g} jobs/s, p99.9", "ms"),
    _less("memory_1", "memory, 1 worker, idle", "MB", is_short=True),
    _less("memory_10", "memory, 10 workers, idle", "MB", is_short=True),
    _less("busy_memory_1", "memory, 1 worker, at work", "MB"),
    _less("busy_memory_10", "memory, 10 workers, at work", "MB"),
    _less("idle_cpu", "CPU in {idle_seconds:g} s, 1 worker, idle", "ms", is_short=True),
    _less(
        "idle_cpu_10",
        "CPU in {idle_seconds:g} s, 10 workers, idle",
        "ms",
    ),
    _less("import", "import", "ms", is_short=True),
    _less("make", "import, and make an app with a task", "ms", is_short=True),
    _less("start", "start of a worker to its first job", "ms", is_short=True),
    _more("backlog_0", "no-op jobs, 2 workers, {backlogs[0]:,} waiting", JOBS),
    _more("backlog_1", "no-op jobs, 2 workers, {backlogs[1]:,} waiting", JOBS),
    _more(
        "backlog_2",
        "no-op jobs, 2 workers, {backlogs[2]:,} waiting",
        JOBS,
        is_short=True,
    ),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
IN_README = ("put", "rate_2", "p99", "memory_10", "start")

FLOOR = "floor"  # where the table has a library
GREENSTALK = "greenstalk"
FLOORS = (
    _more("floor_put_pipelined", "bare socket, 500 puts in a write", PUTS),
    _more("floor_put", "bare socket, a put in a write", PUTS),
    _more("floor_put_greenstalk", "greenstalk, a put after the other", PUTS),
    _more("floor_put_connection", "greenstalk, a connection for each put", PUTS),
    _more(
        "floor_work_pipelined",
        "bare socket, delete and the next reserve in a write",
        JOBS,
    ),
    _more("floor_work_greenstalk", "greenstalk, reserve and delete", JOBS),
    _less("floor_import", "import greenstalk", "ms"),
)
