"""The metrics, from what a worker describes to Prometheus."""

from jobqueue.broker.stats import JobState
from jobqueue.job.decision import Ending
from jobqueue.worker.metrics import WorkerMetrics
from jobqueue.worker.reporting.counters import BOUNDS
from tests.docs.reference.markdown import code, codes, table

_SUFFIXES = {"counter": "_total"}


def names() -> dict[str, str]:
    """Return the type of each metric, by the name that a query has for it."""
    return {
        metric.name + _SUFFIXES.get(metric.type, ""): metric.type
        for metric in WorkerMetrics(list, int).describe()
    }


def metrics() -> str:
    rows = [
        [
            code(metric.name + _SUFFIXES.get(metric.type, "")),
            metric.type,
            codes(getattr(metric, "_labelnames", ())),
            metric.documentation,
        ]
        for metric in WorkerMetrics(list, int).describe()
    ]
    return table(["name", "type", "labels", "what it is"], rows)


def outcomes() -> str:
    return codes(ending.name.lower() for ending in Ending) + "\n"


def states() -> str:
    return codes(state.value for state in JobState) + "\n"


def bounds() -> str:
    return ", ".join(map(str, BOUNDS)) + "\n"
