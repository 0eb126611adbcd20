"""The worker's metrics, as Prometheus fetches them: real processes, a real broker."""

import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from jobqueue import JobQueue, Worker
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobStats
from jobqueue.worker.metrics import WorkerMetrics
from jobqueue.worker.reporting.counters import CountTable
from tests.helpers.servers import Beanstalkd, eventually, eventually_true, free_port
from tests.helpers.ticks import put_tick
from tests.helpers.worker_process import (
    WorkerProcess,
    copy_app,
    is_running,
    write_module,
)

Sample = tuple[str, frozenset[tuple[str, str]]]
Samples = Mapping[Sample, float]


class Endpoint:
    """Where a worker serves its metrics."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/metrics"
        self.arguments = ("--metrics-port", str(self.port))

    def scrape(self) -> Samples:
        """Return all samples; none if nobody answers."""
        try:
            with urllib.request.urlopen(self.url, timeout=20) as answer:
                text = answer.read().decode()
        except (URLError, ConnectionError):
            return {}
        return samples(text)

    def jobs(self, func_name: str | None = None) -> dict[str, int]:
        """Return how many jobs have ended how, leaving out zeros."""
        return jobs(self.scrape(), func_name)

    def value(self, name: str, **labels: str) -> float | None:
        return self.scrape().get((name, frozenset(labels.items())))


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def jobs(scraped: Samples, func_name: str | None = None) -> dict[str, int]:
    found: dict[str, int] = {}
    for (name, labels), value in scraped.items():
        of = dict(labels)
        wanted = func_name is None or of.get("func_name") == func_name
        if name == "jobqueue_jobs_total" and wanted and value:
            found[of["outcome"]] = found.get(of["outcome"], 0) + int(value)
    return found


def never_falling(scraped: Samples) -> dict[Sample, float]:
    suffixes = ("_total", "_bucket", "_count", "_sum")
    return {key: value for key, value in scraped.items() if key[0].endswith(suffixes)}


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    copy_app("metrics", tmp_path)
    return tmp_path


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


def start(app: Path, endpoint: Endpoint, *arguments: str) -> WorkerProcess:
    quiet = ("--log-level", "warning")
    tasks = ("--import", "tasks", "--tube", "t")
    return WorkerProcess(app, *tasks, *quiet, *endpoint.arguments, *arguments)


def put(app: Path, *calls: str) -> None:
    script = "import tasks\n" + "\n".join(f"tasks.{call}" for call in calls)
    subprocess.run([sys.executable, "-c", script], cwd=app, check=True)


def stop(process: WorkerProcess) -> None:
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0


def test_several_processes(app: Path, broker: Beanstalkd, endpoint: Endpoint) -> None:
    """The counts of two processes add up exactly, and never fall."""
    with start(app, endpoint, "--processes=2", "--threads=4") as process:
        eventually(lambda: broker.waiting("t"), 8)
        put(
            app,
            "work.put_many([{}] * 2000)",
            "fail.put_many([{}] * 1000)",
            "retry.put_many([{}] * 500)",
            "work.put_many([{}] * 1000)",
            "give_up.put_many([{}] * 500)",
        )
        before: dict[Sample, float] = {}
        scrapes = 0

        def all_ended() -> bool:
            nonlocal before, scrapes
            now = never_falling(endpoint.scrape())
            assert all(now[key] >= value for key, value in before.items())
            before = now
            scrapes += 1
            return sum(jobs(now).values()) >= 5500  # with the retries

        eventually_true(all_ended, within=60)
        assert scrapes > 1
        scraped = endpoint.scrape()
        stop(process)

    assert jobs(scraped, "work") == {"done": 3000}
    assert jobs(scraped, "fail") == {"buried": 1000}
    assert jobs(scraped, "retry") == {"released": 500, "buried": 500}
    assert jobs(scraped, "give_up") == {"kicks_reach_max": 500}
    assert broker.counts("t") == {"buried": 1500}
    for func_name, runs in (("work", 3000), ("retry", 1000)):
        labels = frozenset({("tube", "t"), ("func_name", func_name)})
        name = "jobqueue_job_duration_seconds"
        assert scraped[f"{name}_count", labels] == runs
        assert scraped[f"{name}_bucket", labels | {("le", "+Inf")}] == runs
        assert scraped[f"{name}_bucket", labels | {("le", "3600.0")}] == runs
    assert (
        scraped["jobqueue_tube_jobs", frozenset({("tube", "t"), ("state", "buried")})]
        == 1500
    )


SHAPES = [(), ("--processes=2", "--threads=4")]


@pytest.mark.parametrize("shape", SHAPES, ids=" ".join)
def test_replaced_process(
    app: Path, endpoint: Endpoint, shape: tuple[str, ...]
) -> None:
    """Its counts are kept."""
    put(app, "work.put_many([{}] * 100)", "fail.put_many([{}] * 20)")
    with start(app, endpoint, *shape, "--max-jobs=25") as process:
        eventually(endpoint.jobs, {"done": 100, "buried": 20})
        eventually(lambda: endpoint.value("jobqueue_jobs_running"), 0)
        put(app, "work.put_many([{}] * 30)")
        eventually(endpoint.jobs, {"done": 130, "buried": 20})
        stop(process)


def test_crashed_process(app: Path, endpoint: Endpoint) -> None:
    """Its counts are kept."""
    put(app, "work.put_many([{}] * 50)", "die.put()", "work.put_many([{}] * 50)")
    with start(app, endpoint, "--processes=2") as process:
        eventually(endpoint.jobs, {"done": 100, "buried": 1})
        assert "has exited with status 9" in process.log
        assert endpoint.jobs("die") == {"buried": 1}  # what could tell no end is no end
        assert endpoint.value("jobqueue_jobs_running") == 0
        stop(process)


def test_stuck_job(app: Path, endpoint: Endpoint) -> None:
    """It is counted when it is buried, and the jobs after it are counted."""
    put(app, "stick.put()")
    with start(app, endpoint, "--processes=2") as process:
        eventually(lambda: endpoint.jobs("stick"), {"buried": 1})
        put(app, "work.put()")
        eventually(endpoint.jobs, {"buried": 1, "done": 1})
        stop(process)


def test_zeros_at_the_start(app: Path, endpoint: Endpoint) -> None:
    labels = {"tube": "t", "func_name": "work"}
    with start(app, endpoint) as process:
        eventually(lambda: endpoint.value("jobqueue_broker_up"), 1)
        for outcome in ("done", "released", "buried", "kicks_reach_max", "lost"):
            name = "jobqueue_jobs_total"
            assert endpoint.value(name, **labels, outcome=outcome) == 0
        assert endpoint.value("jobqueue_job_duration_seconds_count", **labels) == 0
        assert not any("other" in dict(of).values() for _, of in endpoint.scrape())
        stop(process)


def test_invalid_bodies(app: Path, broker: Beanstalkd, endpoint: Endpoint) -> None:
    """Invalid bodies of every kind are counted in one series."""
    with start(app, endpoint, "--processes=2") as process:
        eventually(lambda: broker.waiting("t"), 2)
        before = len(endpoint.scrape())
        with broker.client("t") as client:
            for n in range(100):
                client.put(b"\xff garbage %d" % n)
                client.put(b'{"func_name":"f%d","tube":"t","kwargs":{}}' % n)
                client.put(b'{"func_name":"work","tube":"u%d","kwargs":{}}' % n)
                client.put(b'{"func_name":"work","tube":"t","kwargs":{"k%d":1}}' % n)
        eventually(lambda: endpoint.jobs("(unknown)"), {"buried": 300})
        eventually(lambda: endpoint.jobs("work"), {"buried": 100})
        labels = {"tube": "t", "func_name": "work"}
        runs = endpoint.value("jobqueue_job_duration_seconds_count", **labels)
        assert runs == 0  # none of these has run
        outcomes_of_unknown = 5
        tube = 5  # the tube is there now: its states, and who waits
        assert len(endpoint.scrape()) <= before + outcomes_of_unknown + tube
        stop(process)


def test_tubes(app: Path, broker: Beanstalkd, endpoint: Endpoint) -> None:
    """The broker is asked at each scrape."""
    put(app, "work.put(seconds=600)", "work.put()", "fail.options(delay=600).put()")
    with start(app, endpoint, "--shutdown-timeout=0") as process:
        eventually(lambda: endpoint.value("jobqueue_jobs_running"), 1)
        for state, count in {
            "ready": 1,
            "delayed": 1,
            "reserved": 1,
            "buried": 0,
        }.items():
            value = endpoint.value("jobqueue_tube_jobs", tube="t", state=state)
            assert value == count
        assert endpoint.value("jobqueue_tube_workers_waiting", tube="t") == 0
        eventually(broker.connections, 1)  # a scrape leaves none behind
        stop(process)


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_broker_away(
    app: Path, broker: Beanstalkd, endpoint: Endpoint, how: str
) -> None:
    """The scrape does not fail."""
    put(app, "work.put()")
    with start(app, endpoint) as process:
        eventually(endpoint.jobs, {"done": 1})
        if how == "killed":
            broker.kill()
        else:
            broker.signal(signal.SIGSTOP)
        scraped = endpoint.scrape()
        assert jobs(scraped) == {"done": 1}
        assert scraped["jobqueue_broker_up", frozenset()] == 0
        assert not any(name.startswith("jobqueue_tube_") for name, _ in scraped)
        stop(process)


def test_reconnects_and_lost_jobs(
    app: Path, broker: Beanstalkd, endpoint: Endpoint
) -> None:
    put(app, "work.put(seconds=1)")
    with start(app, endpoint) as process:
        eventually(lambda: endpoint.value("jobqueue_jobs_running"), 1)
        assert endpoint.value("jobqueue_broker_reconnects_total") == 0
        broker.kill()
        eventually(endpoint.jobs, {"lost": 1})
        Path(str(broker.target)).unlink()
        broker.start()
        eventually(lambda: endpoint.value("jobqueue_broker_reconnects_total"), 1)
        eventually(lambda: endpoint.value("jobqueue_broker_up"), 1)
        stop(process)


def test_port_while_stopping(app: Path, endpoint: Endpoint) -> None:
    """The port answers until the last job ends, and is free after that."""
    put(app, "work.put(seconds=2)")
    shape = "--processes=2"
    with start(app, endpoint, shape, "--log-level=info") as process:
        eventually(lambda: endpoint.value("jobqueue_jobs_running"), 1)
        with socket.create_connection(("127.0.0.1", endpoint.port)):  # says nothing
            process.signal(signal.SIGTERM)
            process.says("Stopping, as soon as job 1")
            assert endpoint.value("jobqueue_jobs_running") == 1
            assert process.exit_code() == 0
        assert f"Metrics are at {endpoint.url}" in process.log
        with start(app, endpoint, shape) as next_one:
            eventually(lambda: endpoint.value("jobqueue_broker_up"), 1)
            stop(next_one)
    assert process.running_pids() == []
    assert "Traceback" not in process.log


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_more_connections_than_files(
    app: Path, broker: Beanstalkd, endpoint: Endpoint
) -> None:
    """A worker goes on, and is scraped, while others hold its port's connections."""
    with start(app, endpoint) as process, ExitStack() as stack:
        eventually(lambda: endpoint.value("jobqueue_broker_up"), 1)
        resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, (120, 120))
        for _ in range(200):
            address = ("127.0.0.1", endpoint.port)
            client = stack.enter_context(socket.create_connection(address))
            client.sendall(b"GET / HTTP/1.1\r\n")
        broker.kill()
        eventually(lambda: endpoint.value("jobqueue_broker_up"), 0)
        Path(str(broker.target)).unlink()
        broker.start()
        put(app, "work.put()")
        eventually(endpoint.jobs, {"done": 1})
        assert endpoint.value("jobqueue_broker_up") == 1
        stop(process)


def test_forked_child_frees_the_port(app: Path, endpoint: Endpoint) -> None:
    put(app, "fork.put()")
    with start(app, endpoint) as process:
        eventually(lambda: endpoint.jobs("fork"), {"done": 1})
        (child,) = map(int, re.findall(r"forked (\d+)", process.log))
        stop(process)
    try:
        with start(app, endpoint) as process:
            eventually(lambda: endpoint.value("jobqueue_broker_up"), 1)
            stop(process)
        assert is_running(child)
    finally:
        subprocess.run(["kill", "-9", str(child)], check=True)


def worker(app: Path, *arguments: str, code: str = "") -> tuple[int, str]:
    """Run a worker with some code before it, and return its status and its log."""
    run = (
        f"import runpy, sys\n{code}\n"
        "runpy.run_module('jobqueue.worker', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", run, "--import", "tasks", *arguments],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_port_in_use(app: Path, endpoint: Endpoint) -> None:
    """The command exits with one line."""
    with socket.create_server(("127.0.0.1", endpoint.port)):
        status, said = worker(app, *endpoint.arguments)

    (line,) = said.splitlines()
    assert status == 2
    assert f"error: can't serve metrics at 127.0.0.1:{endpoint.port}: " in line
    assert "in use" in line


def test_missing_extra(app: Path, endpoint: Endpoint) -> None:
    """The command exits with one line."""
    missing = "sys.modules['prometheus_client'] = None"

    status, said = worker(app, *endpoint.arguments, code=missing)

    (line,) = said.splitlines()
    assert status == 2
    assert "error: metrics need an extra: pip install 'jobqueue[metrics]'" in line


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--metrics-port", "0"), "'0' is not a whole number from 1"),
        (("--metrics-port", "65536"), "'65536' is not a port: 1 to 65535"),
        (("--metrics-port", "1", "--metrics-host", "no.such.invalid"), "can't serve"),
        (("--metrics-port", "1", "--metrics-host", "a..b"), "can't serve metrics at"),
    ],
)
def test_wrong_use(app: Path, arguments: tuple[str, ...], error: str) -> None:
    status, said = worker(app, *arguments)

    (line,) = said.splitlines()
    assert status == 2
    assert error in line


def test_no_metrics_without_the_extra(app: Path) -> None:
    """A worker without metrics needs no extra."""
    put(app, "work.put()")

    status, said = worker(
        app, "--burst", code="sys.modules['prometheus_client'] = None"
    )

    assert status == 0
    assert "Job 1 done" in said


APP_WITH_METRICS = """
import os
from prometheus_client import REGISTRY, Counter, values
from jobqueue import JobQueue

mails = Counter("mails", "Mails that were sent.")

@JobQueue().task("t")
def send():
    mails.inc()
    assert not values.ValueClass._multiprocess
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
    names = [metric.name for metric in REGISTRY.collect()]
    assert "mails" in names
    assert not [name for name in names if name.startswith("jobqueue")]
"""


def test_default_registry(app: Path, endpoint: Endpoint) -> None:
    """Its content is the application's alone."""
    write_module(app, "tasks", APP_WITH_METRICS)
    put(app, "send.put()")
    with start(app, endpoint) as process:
        eventually(endpoint.jobs, {"done": 1})
        assert endpoint.value("mails_total") is None
        stop(process)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry(auto_describe=True)


def test_embedded_worker(queue: JobQueue, registry: CollectorRegistry) -> None:
    @queue.task("t")
    def work() -> None: ...

    work.put_many([{}] * 3)
    worker = Worker(burst=True, threads=2)
    registry.register(WorkerMetrics.of(worker))
    worker.run()

    scraped = samples(generate_latest(registry).decode())
    assert jobs(scraped) == {"done": 3}
    assert scraped["jobqueue_broker_up", frozenset()] == 1


def test_overdue_schedules(
    queue: JobQueue, broker: Beanstalkd, registry: CollectorRegistry
) -> None:
    """Those of other tubes are other workers' business."""

    @queue.task("reports")
    def work() -> None: ...

    put_tick(broker, due=int(time.time()) - 100)
    put_tick(broker, func_name="later")
    put_tick(broker, tube="others")
    registry.register(WorkerMetrics.of(Worker()))

    late = overdue(registry)

    assert late.keys() == {"reports/nightly", "reports/later"}
    assert 100 <= late["reports/nightly"] < 160
    assert late["reports/later"] == 0


def overdue(registry: CollectorRegistry) -> dict[str, float]:
    scraped = samples(generate_latest(registry).decode())
    name = "jobqueue_schedule_overdue_seconds"
    return {
        dict(of)["schedule"]: n for (found, of), n in scraped.items() if found == name
    }


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
def test_schedule_that_a_frozen_worker_holds(
    queue: JobQueue, broker: Beanstalkd, registry: CollectorRegistry, *, is_known: bool
) -> None:
    """It can't be read any more, and stays overdue until another tick is put."""

    @queue.task("reports")
    def work() -> None: ...

    put_tick(broker, due=int(time.time()) - 100)
    registry.register(WorkerMetrics.of(Worker()))
    if is_known:
        overdue(registry)
    with broker.client() as frozen:
        frozen.watch("jobqueue.schedules/reports/nightly")
        frozen.reserve()

        (late,) = overdue(registry).values()
        assert (late >= 100) is is_known
        if not is_known:
            eventually_true(lambda: overdue(registry)["reports/nightly"] > 0)
        put_tick(broker, due=1)
        frozen.reserve()
        assert overdue(registry) == {"reports/nightly": 0}


def test_registered_twice(queue: JobQueue, registry: CollectorRegistry) -> None:
    @queue.task("t")
    def work() -> None: ...

    registry.register(WorkerMetrics.of(Worker()))
    with pytest.raises(ValueError, match="jobqueue_jobs"):
        registry.register(WorkerMetrics.of(Worker()))


def test_rows_of_other_processes() -> None:
    memory = bytearray(2**10)
    writer = CountTable(memory)
    rows: dict[tuple[str, ...], float] = {}
    for key in [("t", "work"), ("ü" * 5, ""), ("unix:///s",)]:
        row = writer.append(key)
        assert row is not None
        row[0] = len(rows) + 0.5
        rows[key] = row[0]

    assert {key: row[0] for key, row in CountTable(memory).rows()} == rows
    assert writer.append(("x" * 1000,)) is None
    assert len(dict(CountTable(memory).rows())) == 3


def test_unfinished_row() -> None:
    """A row that a process was killed while adding does not count."""
    memory = bytearray(2**10)
    CountTable(memory).append(("x" * 200, "crashed"))
    memory[:8] = bytes(8)  # where the rows end is written last
    row = CountTable(memory).append(("t", "work"))

    assert row is not None
    assert not any(row)
    assert [key for key, _ in CountTable(memory).rows()] == [("t", "work")]


def test_next_job_and_notes(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes of failures are counted apart from jobs."""
    next_ready = OperatorConnection.next_ready

    def old(connection: OperatorConnection, tubes: Iterable[str]) -> list[JobStats]:
        return [job._replace(age=7) for job in next_ready(connection, tubes)]

    monkeypatch.setattr(OperatorConnection, "next_ready", old)

    @queue.task("t", retries=1, backoff=0)
    def fail() -> None:
        raise ValueError

    @queue.task("empty")
    def work() -> None: ...

    fail.put()
    Worker(burst=True).run()
    fail.put()
    work.options(delay=60).put()
    registry = CollectorRegistry()
    registry.register(WorkerMetrics.of(Worker()))
    scraped = samples(generate_latest(registry).decode())

    def value(name: str, **labels: str) -> float | None:
        return scraped.get((f"jobqueue_tube_{name}", frozenset(labels.items())))

    assert value("next_job_age_seconds", tube="t") == 7
    assert value("next_job_age_seconds", tube="empty") == 0
    assert value("jobs", tube="t", state="ready") == 1
    assert value("jobs", tube="t", state="buried") == 1
    assert value("notes", tube="t", kind="failure") == 1
    assert value("notes", tube="t", kind="retry") == 1
    assert value("notes", tube="empty", kind="failure") == 0
    tubes = {dict(labels).get("tube") for _, labels in scraped}
    assert tubes == {None, "t", "empty"}
