"""The page that Prometheus fetches a worker's metrics from."""

import io
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client.exposition import MetricsHandler
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry


class DescribedCollector(Collector):
    """A collector that knows its metrics' names before it asks for any number."""

    @abstractmethod
    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without their numbers."""


class Scrapes:
    """The responses to scrapes."""

    def __init__(self, metrics: DescribedCollector) -> None:
        self._snapshot = _Snapshot(metrics)
        registry = CollectorRegistry()  # the default one is the application's
        registry.register(self._snapshot)
        self._handler: Any = MetricsHandler.factory(registry)

    def answer(self, requests: Sequence[bytes]) -> list[bytes]:
        """Return the response to each request, all with the metrics of this moment.

        A broker that is silent costs two seconds: once for all that ask meanwhile.
        """
        self._snapshot.take()
        return [self._respond(request) for request in requests]

    def _respond(self, request: bytes) -> bytes:
        exchange = _Exchange(request)
        self._handler(exchange, ("", 0), None)
        return b"".join(exchange.response)


class _Snapshot(DescribedCollector):
    """Metrics as they were at one moment."""

    def __init__(self, metrics: DescribedCollector) -> None:
        self._metrics = metrics
        self._taken: list[Metric] = []

    def take(self) -> None:
        """Collect the metrics."""
        self._taken = list(self._metrics.collect())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics that were collected."""
        yield from self._taken

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics' names, without asking for any number."""
        yield from self._metrics.describe()


class _Exchange:
    """Stands for the socket of a request handler, as the request is here already."""

    def __init__(self, request: bytes) -> None:
        self.response: list[bytes] = []
        self._request = request

    def makefile(self, *_: object) -> io.BytesIO:
        """Return the request."""
        return io.BytesIO(self._request)

    def sendall(self, data: bytes) -> None:
        """Keep a part of the response."""
        self.response.append(bytes(data))
