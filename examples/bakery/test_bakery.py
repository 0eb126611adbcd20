"""Tests of the bakery: see ``__init__.py`` for how to run them."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from jobqueue import Operator
from jobqueue.pytest_plugin import RunJobs

from . import errors, tracing
from .tasks import confirm, plan_baking, queue
from .web import app

FOLDER = Path(__file__).parent.parent
WORKER = [sys.executable, "-m", "jobqueue", "worker", "--import", "bakery.production"]

T = TypeVar("T")


class Kept(Transport):
    """Keeps events, instead of sending them."""

    events: ClassVar[list[Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep the event of an envelope."""
        self.events.append(envelope.get_event())


@pytest.fixture(scope="session")
def provider() -> TracerProvider:
    """Set up, once, what can be set up once."""
    errors.set_up(dsn="https://key@example.org/1", transport=Kept)
    return tracing.set_up(EXPORTER)


EXPORTER = InMemorySpanExporter()


@pytest.fixture(autouse=True)
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: TracerProvider
) -> Iterator[Path]:
    """Give each test a folder of its own, and no spans or events of another."""
    monkeypatch.setenv("BAKERY_HOME", str(tmp_path))
    provider.force_flush()
    EXPORTER.clear()
    Kept.events.clear()
    yield tmp_path
    queue.close()


def order(customer: str = "Ada", loaves: int = 2) -> int:
    with TestClient(app) as client:
        answer = client.post("/orders", params={"customer": customer, "loaves": loaves})
    assert answer.status_code == 202
    order_id: int = answer.json()["order"]
    return order_id


def written(home: Path) -> list[str]:
    return [path.read_text() for path in sorted(home.glob("*.txt"))]


def spans(provider: TracerProvider) -> dict[str, ReadableSpan]:
    provider.force_flush()
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def trace_of_request(provider: TracerProvider) -> int:
    request = spans(provider)["request"].get_span_context()
    assert request
    return request.trace_id


def test_order_is_confirmed(home: Path, run_jobs: RunJobs) -> None:
    order("Ada", 2)
    assert written(home) == []  # the customer does not wait for it

    run_jobs()
    assert written(home) == ["Good morning Ada, your 2 loaves are ordered.\n"]


def test_nightly_plan(home: Path, run_jobs: RunJobs) -> None:
    order("Ada", 2)
    order("Alan", 3)
    plan_baking.put()

    run_jobs()

    assert written(home)[0] == "Bake 5 loaves.\n"


def test_trace(run_jobs: RunJobs, provider: TracerProvider) -> None:
    order()
    run_jobs()

    found = spans(provider)
    put = found["create confirmations"].get_span_context()
    (link,) = found["process confirmations"].links
    assert put
    assert put.trace_id == trace_of_request(provider)
    assert (link.context.trace_id, link.context.span_id) == (put.trace_id, put.span_id)


def test_failure_is_reported_once(run_jobs: RunJobs) -> None:
    confirm.put(order_id=99)

    run_jobs(reraise=False)

    (event,) = Kept.events
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("Bury", "there is no order 99")
    assert (event["transaction"], event["tags"]) == (
        "confirm",
        {"tube": "confirmations"},
    )
    assert event["contexts"]["job"]["arguments"] == {"order_id": 99}


def test_trace_leads_to_another_process(
    beanstalkd: str, provider: TracerProvider
) -> None:
    """The worker prints its spans; they link to the request's trace."""
    order()
    worker = [*WORKER, "--burst", "--url", beanstalkd]
    output = subprocess.check_output(worker, cwd=FOLDER, text=True)

    (process,) = map(json.loads, output.splitlines())
    (link,) = process["links"]
    assert process["name"] == "process confirmations"
    assert int(link["context"]["trace_id"], 16) == trace_of_request(provider)


def until(find: Callable[[], T]) -> T:
    """Return what is found within 20 seconds, and is true."""
    deadline = time.monotonic() + 20
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@contextmanager
def working(*options: str, folder: Path = FOLDER) -> Iterator[None]:
    """Run a worker as in production for the time of the block."""
    with subprocess.Popen([*WORKER, *options], cwd=folder) as process:
        try:
            yield
        finally:
            process.terminate()


def test_every_night(home: Path, beanstalkd: str) -> None:
    """A worker keeps the schedule; an operator can have the job put at once, too."""
    with Operator(beanstalkd) as operator, working("--url", beanstalkd):
        (schedule,) = until(operator.schedules)
        operator.run_schedule(schedule.name)
        until(lambda: written(home))

    due = schedule.next_due.astimezone(ZoneInfo("Europe/Berlin"))
    assert (due.hour, due.minute) == (2, 30)
    assert written(home) == ["Bake 0 loaves.\n"]


def test_reload(
    home: Path, beanstalkd: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """While one develops, a worker runs the code as it was saved last."""
    folder = tmp_path_factory.mktemp("code")
    shutil.copytree(FOLDER / "bakery", folder / "bakery")
    code = folder / "bakery" / "tasks.py"

    def confirmed(greeting: str) -> bool:
        order()
        return any(text.startswith(greeting) for text in written(home))

    with working("--url", beanstalkd, "--reload", folder=folder):
        until(lambda: confirmed("Good morning"))
        code.write_text(code.read_text().replace("Good morning", "Hello"))
        until(lambda: confirmed("Hello"))
