"""A real beanstalkd, real worker processes, and waiting with a deadline."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

import greenstalk

DEADLINE = 20

T = TypeVar("T")


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


REAL = ["beanstalkd"]
DEVSERVER = [sys.executable, "-m", "jobqueue.devserver"]
IS_INSTALLED = shutil.which("beanstalkd") is not None


class Beanstalkd:
    """A beanstalkd of a test's own, on a Unix socket or a free port.

    It is the development server if there is no real one, unless that is needed.
    """

    def __init__(
        self,
        listen: Path | int,
        *options: str,
        is_real: bool = IS_INSTALLED,
        memory_limit: int | None = None,
        wrapped_in: Sequence[str] = (),
    ) -> None:
        self._program = [*wrapped_in, *(REAL if is_real else DEVSERVER)]
        self._options = options
        self._memory_limit = memory_limit  # bytes
        if isinstance(listen, Path):
            self.url = f"unix://{listen}"
            self.target: str | tuple[str, int] = str(listen)
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
        eventually_true(self._answers)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError("beanstalkd has exited")
        family = socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET
        with socket.socket(family) as probe:
            return probe.connect_ex(self.target) == 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
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
        """Return a plain client, for a look that owes nothing to jobqueue."""
        return greenstalk.Client(self.target, encoding=None, use=tube, watch=tube)

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

    def connections(self) -> int:
        """Return how many connections are open, this one aside."""
        with self.client() as client:
            return client.stats()["current-connections"] - 1

    def waiting(self, tube: str) -> int:
        """Return how many connections wait for a job of this tube."""
        with self.client() as client:
            try:
                return client.stats_tube(tube)["current-waiting"]
            except greenstalk.NotFoundError:
                return 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class WorkerProcess:
    """`python -m jobqueue.worker`, with its log in a file."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        wrapped_in: Sequence[str] = (),
        new_group: bool = False,
        **env: str,
    ) -> None:
        self._log = folder / f"worker-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*wrapped_in, sys.executable, "-m", "jobqueue.worker", *arguments],
                process_group=0 if new_group else None,
                cwd=folder,
                env=os.environ | env,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str) -> None:
        """Wait until the log has this text."""

        def found() -> bool:
            if text in self.log:
                return True
            if self.process.poll() is not None:
                raise AssertionError(f"no {text!r} in the log, at exit:\n{self.log}")
            return False

        try:
            eventually_true(found)
        except AssertionError as error:
            raise AssertionError(f"{error}: no {text!r} in\n{self.log}") from None

    def signal(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def exit_code(self, within: float = DEADLINE) -> int:
        return self.process.wait(within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def write_module(folder: Path, name: str, source: str) -> None:
    """Write a module by its dotted name, and the packages that it lies in."""
    path = folder / (name.replace(".", "/") + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for parent in path.relative_to(folder).parents[:-1]:
        (folder / parent / "__init__.py").touch()
    path.write_text(source)


class FakeBroker:
    """A socket that answers by a script: for faults that no server makes on demand.

    Each connection gets the same answers, one for each time something is received.
    None is silence until the client closes. After the last answer it hangs up.
    """

    def __init__(self, path: Path, *answers: bytes | None) -> None:
        self.url = f"unix://{path}"
        self.received: list[bytes] = []
        self._answers = answers
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        for answer in self._answers:
            received = connection.recv(2**20)
            if not received:
                return
            self.received.append(received)
            if answer is None:
                connection.recv(1)
            else:
                connection.sendall(answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


def is_running(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():  # not Linux
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
