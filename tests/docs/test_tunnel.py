"""The tunnel of why/security, made by the commands that the page prints."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jobqueue import BrokerError, JobQueue, Worker
from tests.helpers.optional_programs import check
from tests.helpers.pages import blocks
from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    eventually_true,
    free_port,
    require,
)
from tests.helpers.worker_process import WorkerProcess, write_module


class Tunnel:
    """Both ends of the tunnel on this machine, on ports of a test's own."""

    def __init__(self, folder: Path) -> None:
        require("socat")
        self.folder = folder
        self.socket = folder / "t.sock"
        self.broker_port, self.port = free_port(), free_port()
        shell = blocks("why/security", "sh")
        _, self.certificates, self.brokers_end, self.others_end = shell

    def here(self, command: str) -> str:
        """Return a printed command with the ports and paths of this test."""
        for printed, own in (
            ("broker.example.org", "localhost"),
            ("11301", str(self.port)),
            ("127.0.0.1:11300", f"127.0.0.1:{self.broker_port}"),
            ("/run/jobs/beanstalkd.sock", str(self.socket)),
        ):
            command = command.replace(printed, own)
        return command

    def make_certificates(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        subprocess.run(
            ["sh", "-euc", self.here(self.certificates)],
            cwd=folder,
            check=True,
            capture_output=True,
        )

    @contextmanager
    def running(self, command: str) -> Iterator[None]:
        """Run one end; at the end of the block, stop it with all of its processes."""
        with subprocess.Popen(
            ["sh", "-c", f"exec {self.here(command)}"],
            cwd=self.folder,
            process_group=0,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.socket)):
                return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @contextmanager
    def open(self, others_end: str | None = None) -> Iterator[JobQueue]:
        with (
            self.running(self.brokers_end),
            self.running(others_end or self.others_end),
            JobQueue(f"unix://{self.socket}?timeout=20") as queue,
        ):
            eventually_true(self.listens)
            yield queue


@pytest.fixture
def tunnel(socket_folder: Path) -> Tunnel:
    tunnel = Tunnel(socket_folder)
    tunnel.make_certificates(socket_folder)
    return tunnel


@pytest.fixture
def far_broker(tunnel: Tunnel) -> Iterator[Beanstalkd]:
    with Beanstalkd(tunnel.broker_port) as broker:
        yield broker


def test_put_and_run(tunnel: Tunnel, far_broker: Beanstalkd) -> None:
    ran = []
    with tunnel.open() as queue:

        @queue.task("t")
        def work(n: int, text: str) -> None:
            ran.append((n, len(text)))

        work.put(0, "x" * 60_000)
        work.put_many({"n": n, "text": ""} for n in range(1, 1000))
        assert far_broker.counts("t") == {"ready": 1000}
        Worker(burst=True).run()

    assert ran == [(0, 60_000), *((n, 0) for n in range(1, 1000))]
    assert far_broker.counts("t") == {}


def test_probes_of_idle_connections(tunnel: Tunnel) -> None:
    """Both ends have TCP probe as soon as jobqueue's own connections do."""
    for command in (tunnel.brokers_end, tunnel.others_end):
        assert ",keepalive,keepidle=15,keepintvl=5,keepcnt=3," in command


def test_keys_are_private(tunnel: Tunnel) -> None:
    for name in ("ca.key", "localhost.pem", "worker.pem"):
        assert (tunnel.folder / name).stat().st_mode & 0o077 == 0


def test_tunnel_away(tunnel: Tunnel, far_broker: Beanstalkd, tmp_path: Path) -> None:
    write_module(
        tmp_path,
        "tasks",
        f"""
from jobqueue import JobQueue

@JobQueue("unix://{tunnel.socket}").task("t")
def work(n):
    print("ran", n, flush=True)
""",
    )
    body = b'{"func_name":"work","tube":"t","kwargs":{"n":%d}}'
    with (
        tunnel.running(tunnel.others_end),
        WorkerProcess(tmp_path, "--import", "tasks") as worker,
        far_broker.client("t") as client,
    ):
        worker.says("Waiting for the broker: ")
        for n in range(2):
            with tunnel.running(tunnel.brokers_end):
                client.put(body % n)
                worker.says(f"ran {n}")
                eventually(lambda: far_broker.counts("t"), {})
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("cert=worker.pem,", ""),
        ("cert=worker.pem,", "cert=strange/worker.pem,"),
        ("cafile=ca.crt", "cafile=strange/ca.crt"),
        ("OPENSSL:broker.example.org", "OPENSSL:127.0.0.1"),
    ],
)
def test_unknown_peers(
    what: str, other: str, tunnel: Tunnel, far_broker: Beanstalkd
) -> None:
    tunnel.make_certificates(tunnel.folder / "strange")
    assert what in tunnel.others_end
    with tunnel.open(tunnel.others_end.replace(what, other)) as queue:

        @queue.task("t")
        def work() -> None: ...

        with pytest.raises(BrokerError):
            work.put()

    assert far_broker.counts("t") == {}


def test_unit(tmp_path: Path) -> None:
    """systemd knows each key, and starts what is printed above it."""
    (text,) = blocks("why/security", "ini")
    *_, command = blocks("why/security", "sh")
    (found,) = re.findall(r"ExecStart=/usr/bin/(.*)", text)
    assert found == " ".join(command.replace("\\\n", "").split())

    unit = tmp_path / "jobs-tunnel.service"
    unit.write_text(text.replace("/usr/bin/socat", sys.executable))
    assert check("systemd-analyze", "verify", unit) == ""
