"""The port where Prometheus fetches a worker's metrics."""

import socket
import socketserver
import sys
import threading

from prometheus_client.exposition import MetricsHandler
from prometheus_client.registry import Collector, CollectorRegistry

from jobqueue.worker.forks import call_in_children
from jobqueue.worker.reporting import process_log

CLIENT_TIMEOUT = 10.0  # seconds, for a client to say what it wants


def listen(host: str, port: int, fd: int | None = None) -> socket.socket:
    """Return a socket that listens, or the open one of a descriptor.

    Raises ``OSError`` and ``ValueError``.
    """
    if fd is not None:
        return socket.socket(fileno=fd)
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family)


def serve(listening: socket.socket, metrics: Collector) -> None:
    """Serve the metrics from a thread of its own, for as long as the process lives."""
    registry = CollectorRegistry()  # not the default one, which is the application's
    registry.register(metrics)
    server = _Server(listening, MetricsHandler.factory(registry))
    # A child that a task forks must not keep the port when its worker has ended.
    call_in_children(listening.close)
    threading.Thread(
        target=server.serve_forever,
        kwargs={"poll_interval": 3600},  # it looks then whether to stop: it never does
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
        """Accept a client, which may not take for ever."""
        client, address = super().get_request()
        client.settimeout(CLIENT_TIMEOUT)
        return client, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Say what went wrong in the log, not on standard error."""
        process_log.metrics_not_served(sys.exception())
