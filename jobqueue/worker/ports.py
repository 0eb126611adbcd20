"""The ports of a worker command, where its metrics and its health are asked for."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from jobqueue.errors import JobQueueError
from jobqueue.worker.exits import call_with_timeout
from jobqueue.worker.processes.counter_pool import CounterPool
from jobqueue.worker.processes.health import Health
from jobqueue.worker.reporting import process_log
from jobqueue.worker.reporting.http_pages import (
    OK,
    UNAVAILABLE,
    Page,
    Pages,
    Response,
    ScrapePage,
)
from jobqueue.worker.reporting.request_server import RequestServer, listen
from jobqueue.worker.threads import start_thread

HEALTH, READINESS = "/healthz", "/readyz"

OnError = Callable[[str], NoReturn]


def serve(
    options: argparse.Namespace,
    on_error: OnError,
    counter_pool: CounterPool | None,
    health: Health,
) -> None:
    """Serve the ports of the command line until the supervisor ends.

    The port of the metrics tells the health, too. ``on_error`` prints what is wrong and
    exits.
    """
    pages = _health_pages(health)
    metrics_at = (options.metrics_host, options.metrics_port)
    health_at = (options.health_host or options.metrics_host, options.health_port)
    if counter_pool is not None:
        scrapes = _scrapes(on_error, counter_pool, health)
        _serve_at(*metrics_at, Pages(pages, scrapes), "metrics", on_error)
        call_with_timeout(process_log.metrics_are_served, *metrics_at)
    if options.health_port is not None:
        if health_at != metrics_at:
            _serve_at(*health_at, Pages(pages), "health", on_error)
        call_with_timeout(process_log.health_is_served, *health_at)


def _health_pages(health: Health) -> dict[str, Page]:
    def answer_to(ask: Callable[[], list[str]], well: str) -> Page:
        def page() -> Response:
            reasons = ask()
            if reasons:
                return Response(UNAVAILABLE, f"not {well}: {'; '.join(reasons)}")
            return Response(OK, "ok")

        return page

    return {
        HEALTH: answer_to(health.faults, "healthy"),
        READINESS: answer_to(health.obstacles, "ready"),
    }


def _scrapes(
    on_error: OnError, counter_pool: CounterPool, health: Health
) -> ScrapePage:
    """Return what answers scrapes with all that the processes have counted."""
    try:
        from jobqueue.worker import metrics  # noqa: PLC0415 - an extra
        from jobqueue.worker.reporting import metrics_server  # noqa: PLC0415 - an extra
    except ImportError as error:
        on_error(f"metrics need an extra: pip install 'jobqueue[metrics]' ({error})")
    worker_metrics = metrics.WorkerMetrics(
        counter_pool.memories, health.count_running, health.count_quiet
    )
    return metrics_server.Scrapes(worker_metrics).answer


def _serve_at(host: str, port: int, pages: Pages, what: str, on_error: OnError) -> None:
    try:
        server = RequestServer(
            listen(host, port), pages.answer, process_log.request_failed, pages.is_slow
        )
        start_thread(server.run_forever, name=f"jobqueue-{what}")
    except (OSError, ValueError, JobQueueError) as error:  # ValueError: no valid host
        on_error(f"can't serve {what} at {host}:{port}: {error}")
