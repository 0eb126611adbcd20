"""The port where Prometheus fetches a worker's metrics."""

import socket
import socketserver
import sys
import threading

from prometheus_client.exposition import MetricsHandler
from prometheus_client.registry import Collector, CollectorRegistry

from jobqueue.worker.reporting import process_log

CLIENT_TIMEOUT = 10.0  # seconds, for a client to send its request


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ``OSError`` and ``ValueError``."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family)


def serve(listening: socket.socket, metrics: Collector) -> None:
    """Serve the metrics in a thread of their own, until the process ends."""
    registry = CollectorRegistry()  # the default one is the application's
    registry.register(metrics)
    server = _Server(listening, MetricsHandler.factory(registry))
    threading.Thread(
        target=server.serve_forever,
        kwargs={
            "poll_interval": 3600
        },  # between two looks whether to stop: it never has to
        name="jobqueue-metrics",
        daemon=True,
    ).start()


class _Server(socketserver.ThreadingTCPServer):
    """An HTTP server on a socket that listens already."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, handler: type[MetricsHandler]) -> None:
        super().__init__(listening.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a client, which has ``CLIENT_TIMEOUT`` to send its request."""
        client, address = super().get_request()
        client.settimeout(CLIENT_TIMEOUT)
        return client, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Log an error, instead of printing it."""
        process_log.metrics_not_served(sys.exception())
