"""A worker's counts as metrics of Prometheus, with the broker's own counts.

The extra ``jobqueue[metrics]`` installs what this needs.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

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

BROKER_TIMEOUT = 2.0  # seconds: a whole scrape has 10 by default

LABELS_LE = (*map(str, BOUNDS), "+Inf")

Totals = dict[Key, list[float]]


class WorkerMetrics(DescribedCollector):
    """Collects the counts of worker processes and of the broker.

    ``memories`` returns the memories in which processes count, and ``running`` the
    number of jobs that run now. Register it in a registry of prometheus_client.
    """

    def __init__(
        self, memories: Callable[[], Iterable[Memory]], running: Callable[[], int]
    ) -> None:
        self._memories = memories
        self._running = running

    @classmethod
    def of(cls, worker: Worker) -> "WorkerMetrics":
        """Return the metrics of a worker that an application embeds and is yet to run.

        >>> prometheus_client.REGISTRY.register(WorkerMetrics.of(worker))
        """
        memory = bytearray(SIZE)
        worker.manager.count_in(memory)
        return cls(lambda: [memory], worker.manager.status_board.count)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as they are now."""
        counted = totals(self._memories())
        running = self._running()
        yield from _metrics_of_jobs(counted)
        yield GaugeMetricFamily(
            "jobqueue_jobs_running", "Jobs that run now.", value=running
        )
        yield from _metrics_of_broker(counted)

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
        "For how long jobs ran.",
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


def _metrics_of_broker(counted: Totals) -> Iterator[Metric]:
    brokers = {key[0]: row for key, row in counted.items() if len(key) == 1}
    yield CounterMetricFamily(
        "jobqueue_broker_reconnects",
        "Times that a process has had its broker back.",
        value=sum(row[RECONNECTS] for row in brokers.values()),
    )
    up = GaugeMetricFamily("jobqueue_broker_up", "Whether the broker answers.")
    jobs = GaugeMetricFamily(
        "jobqueue_tube_jobs", "Jobs in the broker.", labels=["tube", "state"]
    )
    waiting = GaugeMetricFamily(
        "jobqueue_tube_workers_waiting",
        "Connections that wait for a job of the tube, of any worker.",
        labels=["tube"],
    )
    if brokers:  # none before the first process has started
        asked = _ask(list(brokers)[-1], _tubes(counted))
        up.add_metric([], asked is not None)
        for record in asked or []:
            for state in JobState:
                jobs.add_metric([record.tube, state], record.jobs_in([state]))
            waiting.add_metric([record.tube], record.waiting)
    yield from (up, jobs, waiting)


def _tubes(counted: Totals) -> set[str]:
    return {tube for tube, *func_name in counted if func_name} - {UNKNOWN}


def _ask(url: str, tubes: Iterable[str]) -> list[TubeStats] | None:
    """Return the broker's counts of those tubes that exist; None if it is away."""
    address = Address.parse(url)._replace(timeout=BROKER_TIMEOUT)
    try:
        with OperatorConnection(address) as connection:
            records = connection.tube_stats(sorted(tubes))
    except BrokerError:
        return None
    return [record for record in records if record is not None]
