"""A worker's counts as metrics of Prometheus, with the broker's own counts.

The extra ``jobqueue[metrics]`` installs what this needs.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from jobqueue import Worker
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState
from jobqueue.errors import BrokerError
from jobqueue.job.decision import Ending
from jobqueue.job.note_tubes import failures_tube, retries_tube
from jobqueue.worker.reporting.counters import (
    BOUNDS,
    BUCKETS,
    ENDINGS,
    RECONNECTS,
    SECONDS,
    SIZE,
    UNKNOWN,
    Key,
    Memory,
    totals,
)
from jobqueue.worker.reporting.metrics_server import DescribedCollector
from jobqueue.worker.schedules.overdue import Overdue

BROKER_TIMEOUT = 2.0  # seconds: a whole scrape has 10 by default

LABELS_LE = (*map(str, BOUNDS), "+Inf")

Totals = dict[Key, list[float]]


class WorkerMetrics(DescribedCollector):
    """Collects the counts of worker processes and of the broker.

    ``memories`` returns the memories in which processes count, and ``running`` the
    number of jobs that run now, and ``quiet`` that of the processes that are quiet.
    Register it in a registry of prometheus_client.
    """

    def __init__(
        self,
        memories: Callable[[], Iterable[Memory]],
        running: Callable[[], int],
        quiet: Callable[[], int] = int,
    ) -> None:
        self._memories = memories
        self._running = running
        self._quiet = quiet
        self._overdue = Overdue()

    @classmethod
    def of(cls, worker: Worker) -> "WorkerMetrics":
        """Return the metrics of a worker that an application embeds and is yet to run.

        >>> prometheus_client.REGISTRY.register(WorkerMetrics.of(worker))
        """
        memory = bytearray(SIZE)
        worker.manager.count_in(memory)
        board = worker.manager.status_board
        return cls(lambda: [memory], board.count, lambda: board.is_quiet)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as they are now."""
        counted = totals(self._memories())
        running = self._running()
        yield from _metrics_of_jobs(counted)
        yield GaugeMetricFamily(
            "jobqueue_jobs_running", "Jobs that run now.", value=running
        )
        yield GaugeMetricFamily(
            "jobqueue_processes_quiet",
            "Processes that were told to take no more jobs, and stay.",
            value=self._quiet(),
        )
        yield from _metrics_of_broker(counted, self._overdue)

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics' names, without asking for any number."""
        yield from WorkerMetrics(list, int).collect()


def _metrics_of_jobs(counted: Totals) -> Iterator[Metric]:
    jobs = CounterMetricFamily(
        "jobqueue_jobs",
        "Jobs that ended, by what became of them.",
        labels=["tube", "func_name", "outcome"],
    )
    durations = HistogramMetricFamily(
        "jobqueue_job_duration_seconds",
        "How long jobs ran, in seconds.",
        labels=["tube", "func_name"],
    )
    for key, row in sorted(counted.items()):
        if len(key) == len(("tube", "func_name")):
            for ending, count in zip(Ending, row[ENDINGS], strict=True):
                jobs.add_metric([*key, ending.name.lower()], count)
            if UNKNOWN not in key:
                in_buckets = zip(LABELS_LE, accumulate(row[BUCKETS]), strict=True)
                durations.add_metric(key, list(in_buckets), row[SECONDS])
    yield jobs
    yield durations


def _metrics_of_broker(counted: Totals, overdue: Overdue) -> Iterator[Metric]:
    brokers = {key[0]: row for key, row in counted.items() if len(key) == 1}
    yield CounterMetricFamily(
        "jobqueue_broker_reconnects",
        "How often a process has connected to the broker again.",
        value=sum(row[RECONNECTS] for row in brokers.values()),
    )
    up = GaugeMetricFamily("jobqueue_broker_up", "1 if the broker answers, else 0.")
    jobs = GaugeMetricFamily(
        "jobqueue_tube_jobs", "Jobs in the broker, by state.", labels=["tube", "state"]
    )
    waiting = GaugeMetricFamily(
        "jobqueue_tube_workers_waiting",
        "Connections that wait for a job of the tube, of any worker.",
        labels=["tube"],
    )
    age = GaugeMetricFamily(
        "jobqueue_tube_next_job_age_seconds",
        "Seconds since the tube's next ready job was put, its delay included; 0: none "
        "is ready.",
        labels=["tube"],
    )
    notes = GaugeMetricFamily(
        "jobqueue_tube_notes",
        "Notes of failures in the broker, which are no jobs.",
        labels=["tube", "kind"],
    )
    schedules: dict[str, int] = {}
    if brokers:  # none before the first process has started
        asked = _ask(list(brokers)[-1], sorted(_tubes(counted)), overdue)
        up.add_metric([], asked is not None)
        records, schedules = asked or ([], {})
        for record in records:
            for state in JobState:
                count = record.stats.jobs_in([state])
                jobs.add_metric([record.stats.tube, state], count)
            waiting.add_metric([record.stats.tube], record.stats.waiting)
            age.add_metric([record.stats.tube], record.age)
            for kind, count in record.notes.items():
                notes.add_metric([record.stats.tube, kind], count)
    yield from (up, jobs, waiting, age, notes, _overdue(schedules))


def _overdue(schedules: Mapping[str, int]) -> Metric:
    late = GaugeMetricFamily(
        "jobqueue_schedule_overdue_seconds",
        "For how many seconds a periodic task has been due; 0: it is not due yet.",
        labels=["schedule"],
    )
    for name, seconds in schedules.items():
        late.add_metric([name], seconds)
    return late


def _tubes(counted: Totals) -> set[str]:
    return {tube for tube, *func_name in counted if func_name} - {UNKNOWN}


class _TubeRecord(NamedTuple):
    """What the broker says about a tube."""

    stats: TubeStats
    age: int  # of the next ready job, in seconds
    notes: Mapping[str, int]  # counts


def _ask(
    url: str, tubes: Sequence[str], overdue: Overdue
) -> tuple[list[_TubeRecord], dict[str, int]] | None:
    """Return the broker's counts of those tubes that exist; None if it is away.

    Then, for how many seconds each schedule of theirs has been due.
    """
    address = Address.parse(url)._replace(timeout=BROKER_TIMEOUT)
    try:
        with OperatorConnection(address) as connection:
            return (
                _ask_about(connection, tubes),
                overdue.ask(connection, tubes, time.time()),
            )
    except BrokerError:
        return None


def _ask_about(
    connection: OperatorConnection, tubes: Sequence[str]
) -> list[_TubeRecord]:
    found = connection.tube_stats(tubes)
    burials = connection.tube_stats(map(failures_tube, tubes))
    retries = connection.tube_stats(map(retries_tube, tubes))
    waiting = [stats.tube for stats in found if stats is not None and stats.ready]
    ages = {job.tube: job.age for job in connection.next_ready(waiting)}
    return [
        _TubeRecord(
            stats,
            ages.get(stats.tube, 0),
            {"failure": _count(of_burials), "retry": _count(of_retries)},
        )
        for stats, of_burials, of_retries in zip(found, burials, retries, strict=True)
        if stats is not None
    ]


def _count(stats: TubeStats | None) -> int:
    return 0 if stats is None else stats.jobs_in(JobState)
