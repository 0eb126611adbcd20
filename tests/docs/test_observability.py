"""The pages recipes/opentelemetry and recipes/sentry, with the real SDKs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jobqueue.testing import run_jobs
from tests.helpers.pages import blocks
from tests.helpers.servers import Beanstalkd
from tests.helpers.shop import Shop

LONGEST = 15  # lines of a recipe, without blank ones and the name of its file


@pytest.mark.parametrize("page", ["opentelemetry", "sentry"])
def test_short(page: str) -> None:
    for block in blocks(f"recipes/{page}", "python"):
        lines = [line for line in block.splitlines()[1:] if line.strip()]

        assert len(lines) <= LONGEST


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def named(exporter: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = {}
    for span in exporter.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def id_of(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context
    return context.span_id


def test_opentelemetry(
    broker: Beanstalkd, shop: Shop, exporter: InMemorySpanExporter
) -> None:
    """From a request to the work of a job, also of an async one, by a link."""
    tracing, tasks = shop.module("tracing"), shop.module("tasks")

    @tasks.queue.task("receipts", retries=1)  # type: ignore[untyped-decorator]
    async def count(n: int) -> None:
        with tracing.tracer.start_as_current_span("query"):
            assert n

    with tracing.tracer.start_as_current_span("request"):
        count.put(1)
    count.put_many([{"n": 2}, {"n": 0}])
    run_jobs(broker.url, reraise=False)

    spans = named(exporter)
    (request,) = spans["request"]
    puts, runs, queries = (
        spans[name] for name in ("create receipts", "process receipts", "query")
    )
    assert [put.parent == request.get_span_context() for put in puts] == [True, 0, 0]
    assert [run.parent for run in runs] == [None] * 4
    assert [[link.context.span_id for link in run.links] for run in runs] == [
        [id_of(put)] for put in (*puts, puts[2])
    ]
    assert [query.parent for query in queries] == [
        run.get_span_context() for run in runs
    ]
    assert {put.kind for put in puts} == {trace.SpanKind.PRODUCER}
    assert {run.kind for run in runs} == {trace.SpanKind.CONSUMER}
    assert [run.status.is_ok for run in runs] == [True, True, False, False]
    (failure,) = runs[3].events
    assert (failure.attributes or {})["exception.type"] == "AssertionError"


def test_opentelemetry_without_a_trace(
    broker: Beanstalkd, shop: Shop, exporter: InMemorySpanExporter
) -> None:
    """A job of another program has no trace context, and no link."""
    shop.module("tracing")
    broker.put(
        b'{"func_name":"send_receipt","tube":"receipts","kwargs":{"order_id":1}}',
        "receipts",
    )
    run_jobs(broker.url)

    (run,) = exporter.get_finished_spans()
    assert not run.links


# Runs the recipe's modules with a transport that keeps events, and prints them.
SENTRY = """
import functools
import json

import sentry_sdk
from sentry_sdk.transport import Transport

events = []


class Kept(Transport):
    def capture_envelope(self, envelope):
        events.append(envelope.get_event())


sentry_sdk.init = functools.partial(
    sentry_sdk.init,
    dsn="https://key@example.org/1",
    transport=Kept,
    auto_enabling_integrations=False,  # of all that the tests have installed
)

import shop.monitoring
from jobqueue import Worker
from shop.tasks import queue


@queue.task("receipts", retries=1, backoff=0)
def pay(order_id, note=None):
    if note:
        sentry_sdk.set_tag("note", note)
        sentry_sdk.add_breadcrumb(message=f"asked for {order_id}")
    if order_id == 1:
        raise ValueError("no such order")
    if order_id == 2:
        raise OSError("no money")


for order_id, note in ((1, "first"), (3, "third"), (2, None)):
    pay.put(order_id, note)
with queue:
    queue.operator.put("receipts", "unknown", {})
    queue.operator.put("receipts", "pay", {"price": 1})
    Worker(["receipts"], burst=True).run()
print(json.dumps([
    {
        "error": event["exception"]["values"][-1]["value"],
        "name": event.get("transaction"),
        "tags": event.get("tags"),
        "job": event["contexts"].get("job"),
        "breadcrumbs": [
            crumb["message"] for crumb in event.get("breadcrumbs", {}).get("values", [])
        ],
    }
    for event in events
]))
"""


def reported(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", SENTRY],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.usefixtures("broker")
def test_sentry(shop: Shop) -> None:
    """One event for each final failure, with all that its own job said, and no more."""
    events = {event["error"].split(" ")[-1]: event for event in reported(shop.folder)}

    assert len(events) == 4
    first, second, unknown = events["order"], events["money"], events["tube?"]
    assert first["name"] == second["name"] == "pay"
    assert first["tags"] == {"tube": "receipts", "note": "first"}
    assert second["tags"] == {"tube": "receipts"}
    assert first["job"] == {"id": 1, "arguments": {"order_id": 1, "note": "first"}}
    assert first["breadcrumbs"] == ["asked for 1"]
    assert second["breadcrumbs"] == []
    assert (unknown["name"], unknown["job"]) == (None, None)
    (misfit,) = (event for event in events.values() if "price" in event["error"])
    assert misfit["name"] == "pay"
    assert misfit["job"] == {"id": 5, "arguments": {"price": 1}}
