"""/healthz and /readyz of real workers, as probes ask for them."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers.servers import Beanstalkd, eventually, free_port
from tests.helpers.worker_process import WorkerProcess, write_module

TASKS = """
import time
from jobqueue import JobQueue
from jobqueue.worker.settings import Settings, Timings

# A slot that is idle looks after a second whether the broker answers, and not after 40.
timings = Timings(reserve_timeout=1, longest_reconnect_pause=0.1, margin=0.1)
Settings.__new__.__defaults__ = (*Settings.__new__.__defaults__[:-1], timings)

@JobQueue.task("t")
def work(seconds=0):
    time.sleep(seconds)
"""


class Probe:
    def __init__(self) -> None:
        self.port = free_port()
        self.arguments = ("--health-port", str(self.port))

    def ask(self, path: str, method: str = "GET") -> "tuple[int, str]":
        with suppress(OSError):  # no worker yet
            connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        return 0, ""

    def health(self) -> "tuple[int, str]":
        return self.ask("/healthz")

    def readiness(self) -> "tuple[int, str]":
        return self.ask("/readyz")


HEALTHY = (200, "ok\n")
READY = (200, "ok\n")


class App(NamedTuple):
    folder: Path
    probe: Probe

    def start(self, *arguments: str) -> WorkerProcess:
        return WorkerProcess(
            self.folder, "--import", "tasks", *self.probe.arguments, *arguments
        )


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setenv("BEANSTALKD_URL", f"{broker.url}?timeout=0.2")
    write_module(tmp_path, "tasks", TASKS)
    return App(tmp_path, Probe())


def put(broker: Beanstalkd, seconds: float) -> None:
    body = f'{{"func_name":"work","tube":"t","kwargs":{{"seconds":{seconds}}}}}'
    broker.put(body.encode())


def test_lost_broker(app: App, broker: Beanstalkd) -> None:
    """The worker is not ready, but alive, so that a probe does not restart it."""
    with app.start("--processes=2") as process:
        eventually(app.probe.readiness, READY)
        broker.kill()
        away = "has no connection to the broker"
        eventually(
            app.probe.readiness,
            (503, f"not ready: process 1 {away}; process 2 {away}\n"),
        )
        assert app.probe.health() == HEALTHY
        Path(str(broker.target)).unlink()
        broker.start()
        eventually(app.probe.readiness, READY)
        assert f"Health is at http://127.0.0.1:{app.probe.port}/healthz" in process.log


def test_silent_broker(app: App, broker: Beanstalkd) -> None:
    with app.start():
        eventually(app.probe.readiness, READY)
        broker.signal(signal.SIGSTOP)
        eventually(lambda: app.probe.readiness()[0], 503)
        assert app.probe.health() == HEALTHY


def test_frozen_processes(app: App, broker: Beanstalkd) -> None:
    """They are named, with a job or without, and are healthy again once they go on."""
    put(broker, 600)
    with app.start("--processes=2") as process:
        eventually(app.probe.readiness, READY)
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        frozen = process.children()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        eventually(lambda: app.probe.health()[1].count("slot 1"), 2)
        said = app.probe.health()[1]
        assert f"not healthy: process 1 (pid {frozen[0]}), slot 1: it" in said
        assert "slot 1: it runs job 1, and nothing else in its process for " in said
        assert "slot 1: its loop has not turned for " in said
        status, said = app.probe.readiness()
        assert status == 503
        assert f"process 1 (pid {frozen[0]}), slot 1: it" in said
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        eventually(app.probe.health, HEALTHY)
        eventually(app.probe.readiness, READY)


def test_draining(app: App, broker: Beanstalkd) -> None:
    """A worker that finishes its jobs is alive, and takes no others."""
    put(broker, 600)
    with app.start() as process:
        process.says("Worker started")
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.signal(signal.SIGTERM)
        eventually(app.probe.readiness, (503, "not ready: it is stopping\n"))
        assert app.probe.health() == HEALTHY


def test_starting(app: App) -> None:
    """An application that takes its time to be imported is alive, and not yet ready."""
    write_module(app.folder, "slow", "import time; time.sleep(600)")
    with app.start("--import", "slow"):
        eventually(app.probe.health, HEALTHY)
        eventually(app.probe.readiness, (503, "not ready: process 1 is starting\n"))


def test_other_requests(app: App) -> None:
    with app.start():
        eventually(app.probe.health, HEALTHY)
        assert app.probe.ask("/") == (404, "there are: /healthz, /readyz\n")
        assert app.probe.ask("/metrics")[0] == 404
        assert app.probe.ask("/healthz?verbose") == HEALTHY
        assert app.probe.ask("/healthz", "HEAD") == (200, "")
        assert app.probe.ask("/healthz", "POST")[0] == 405
        with socket.create_connection(("127.0.0.1", app.probe.port)) as client:
            client.sendall(b"\0\r\n\r\n")
            assert client.recv(2**10).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("is_one", [True, False], ids=["one port", "two ports"])
def test_beside_the_metrics(app: App, broker: Beanstalkd, *, is_one: bool) -> None:
    """The metrics' port tells the health, too; and both may be one port."""
    metrics = Probe()
    if is_one:
        metrics.port = app.probe.port
    with app.start("--metrics-port", str(metrics.port)):
        for probe in (metrics, app.probe):
            eventually(probe.readiness, READY)
            assert probe.health() == HEALTHY
        assert "jobqueue_broker_up 1.0" in metrics.ask("/metrics")[1]
        assert metrics.ask("/")[1] == "there are: /healthz, /readyz, /metrics\n"
        broker.signal(signal.SIGSTOP)  # a scrape waits for it, and a probe does not
        with socket.create_connection(("127.0.0.1", metrics.port), 20) as scrape:
            scrape.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            assert metrics.health() == HEALTHY
            scrape.settimeout(0)
            with pytest.raises(BlockingIOError):
                scrape.recv(1)


def test_without_prometheus_client(app: App) -> None:
    run = (
        "import runpy, sys; sys.modules['prometheus_client'] = None;"
        "runpy.run_module('jobqueue.worker', run_name='__main__')"
    )
    command = [sys.executable, "-c", run, "--import", "tasks", *app.probe.arguments]
    with subprocess.Popen(command, cwd=app.folder) as process:
        eventually(app.probe.readiness, READY)
        process.terminate()
        assert process.wait(20) == 0


def test_port_in_use(app: App) -> None:
    address = ("127.0.0.1", app.probe.port)
    with socket.create_server(address), app.start() as process:
        assert process.exit_code() == 2

    where = f"127.0.0.1:{app.probe.port}"
    assert f"error: can't serve health at {where}: [Errno 98] Addr" in process.log
    assert len(process.log.splitlines()) == 1
