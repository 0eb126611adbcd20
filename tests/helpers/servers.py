"""beanstalkd and the development server for tests, and waiting with a deadline."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self, TypeVar

import greenstalk
import pytest

from jobqueue.devserver import DevServer
from tests.helpers.beanstalkds import NAME, numbers_of, programs

DEADLINE = 20  # seconds
REAL = NAME  # looked up on the PATH, where each test has one of the programs
IS_INSTALLED = bool(programs())
DEVSERVER = [sys.executable, "-m", "jobqueue.devserver"]

T = TypeVar("T")
Target = str | tuple[str, int]  # the path of a Unix socket, or a host and a port


def eventually(get: Callable[[], T], expected: object, within: float = DEADLINE) -> T:
    """Poll until `get` returns what is expected, or fail with what it returned last."""
    deadline = time.monotonic() + within
    while (actual := get()) != expected:
        if time.monotonic() > deadline:
            raise AssertionError(f"expected {expected!r}, got {actual!r}")
        time.sleep(0.01)
    return actual


def eventually_true(condition: Callable[[], object], within: float = DEADLINE) -> None:
    eventually(lambda: bool(condition()), expected=True, within=within)


def require(program: str) -> None:
    """Skip the test if a program is missing; on CI, where nothing is skipped, fail."""
    if shutil.which(program):
        return
    if os.environ.get("CI"):
        pytest.fail(f"{program} is not installed")
    pytest.skip(f"{program} is not installed")


def require_beanstalkd() -> None:
    if not IS_INSTALLED:
        require(REAL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Beanstalkd:
    """A server process of a test's own, on a Unix socket or a port.

    The program is a beanstalkd: a path, or a name that is looked up on the PATH. With
    None it is the development server, which is also the default where no beanstalkd is
    installed.
    """

    def __init__(
        self,
        listen: Path | int,
        *options: str,
        program: str | None = REAL if IS_INSTALLED else None,
        memory_limit: int | None = None,
        wrapped_in: Sequence[str] = (),
    ) -> None:
        self._program = [*wrapped_in, *([program] if program else DEVSERVER)]
        self._options = options
        self._memory_limit = memory_limit  # bytes
        if isinstance(listen, Path):
            self.url = f"unix://{listen}"
            self.target: Target = str(listen)
            self._listen = ["-l", f"unix:{listen}"]
        else:
            self.url = f"beanstalkd://127.0.0.1:{listen}"
            self.target = ("127.0.0.1", listen)
            self._listen = ["-l", "127.0.0.1", "-p", str(listen)]

    def start(self) -> None:
        command = [*self._program, *self._listen, *self._options]
        if self._memory_limit is not None:
            limited = f'ulimit -v {self._memory_limit // 1024}; exec "$@"'
            command = ["sh", "-c", limited, "sh", *command]
        self._process = subprocess.Popen(command)
        eventually_true(self._accepts_connections)

    def _accepts_connections(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError("the server has exited")
        family = socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET
        with socket.socket(family) as probe:
            return probe.connect_ex(self.target) == 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while the server runs."""
        return self._process.poll()

    def signal(self, signum: signal.Signals) -> None:
        self._process.send_signal(signum)

    def drain(self) -> None:
        self.signal(signal.SIGUSR1)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def client(self, tube: str = "default") -> "greenstalk.Client[bytes]":
        """Return a client that shares no code with jobqueue."""
        return greenstalk.Client(self.target, encoding=None, use=tube, watch=tube)

    def put(self, body: bytes, tube: str = "t", priority: int = 77) -> int:
        """Put a job of any bytes, and return its id."""
        with self.client(tube) as client:
            return client.put(body, priority=priority)

    def counts(self, tube: str) -> dict[str, int]:
        """Return how many jobs of a tube are in each state, leaving out zeros."""
        with self.client() as client:
            try:
                stats = client.stats_tube(tube)
            except greenstalk.NotFoundError:
                return {}
        found = {
            "ready": stats["current-jobs-ready"],
            "reserved": stats["current-jobs-reserved"],
            "delayed": stats["current-jobs-delayed"],
            "buried": stats["current-jobs-buried"],
        }
        return {state: count for state, count in found.items() if count}

    def stats_job(self, job_id: int) -> greenstalk.StatsJob:
        with self.client() as client:
            return client.stats_job(job_id)

    def version(self) -> str:
        with self.client() as client:
            return str(client.stats()["version"])

    def connections(self) -> int:
        """Return how many connections are open, leaving out the asking one."""
        with self.client() as client:
            return client.stats()["current-connections"] - 1

    def waiting(self, tube: str) -> int:
        """Return how many connections wait for a job of this tube."""
        with self.client() as client:
            try:
                return client.stats_tube(tube)["current-waiting"]
            except greenstalk.NotFoundError:
                return 0


def oversleep(broker: Beanstalkd, seconds: float) -> None:
    """Have the broker sleep for some seconds, in which a time to run ends.

    When it wakes up, it notices that: it misses only what ends at the very microsecond
    at which it looks.
    """
    broker.signal(signal.SIGSTOP)
    time.sleep(seconds)
    broker.signal(signal.SIGCONT)


class DevServerInThread(DevServer):
    """The development server in a thread of the test's process."""

    @property
    def target(self) -> Target:
        if self.url.startswith("unix://"):
            return self.url.removeprefix("unix://")
        host, _, port = self.url.removeprefix("beanstalkd://").rpartition(":")
        return host.strip("[]"), int(port)


class Server(Protocol):
    """A server of either kind."""

    @property
    def target(self) -> Target: ...

    def drain(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


# The kinds of servers: paths of beanstalkd programs, and the development server, which
# does the same as the newest beanstalkd.
DEVELOPMENT = "devserver"
SERVERS = [
    *(pytest.param(path, id=f"{REAL} {version}") for path, version in programs()),
    *([] if IS_INSTALLED else [REAL]),
    DEVELOPMENT,
]


def server_of(kind: str, folder: Path, max_job_size: int = 65535) -> Server:
    """Return a server of one of the kinds, not started yet, on a socket in a folder."""
    path = folder / f"{Path(kind).name}.sock"
    if kind == DEVELOPMENT:
        return DevServerInThread(f"unix:{path}", max_job_size=max_job_size)
    require_beanstalkd()
    return Beanstalkd(path, "-z", str(max_job_size), program=kind)


def has_behaviour_of(version: str, server: Server) -> bool:
    """Return whether a server is of this version of beanstalkd, or of a later one."""
    with greenstalk.Client(server.target) as client:
        actual = str(client.stats()["version"])
    return numbers_of(actual) >= numbers_of(version)
