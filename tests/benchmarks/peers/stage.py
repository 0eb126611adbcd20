"""The place of a measurement: a server, a shared file, a producer, workers."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import process_tree, servers
from tests.benchmarks.peers.contenders import Contender

ROOT = Path(__file__).parents[3]
STOPPING = 5  # seconds that a worker has to stop, before it is killed
POLL = 0.002  # seconds


@dataclass(frozen=True, slots=True)
class Stage:
    """One library's place, from a new server to its end."""

    contender: Contender
    python: Path
    folder: Path
    port: int

    @property
    def file(self) -> Path:
        """Return the file that all jobs write to."""
        return self.folder / "written"

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of the processes."""
        url = servers.url(self.contender.server, self.port)
        names = {"PEERS_BROKER": url, "PEERS_FILE": str(self.file)}
        names |= {"BEANSTALKD_URL" if url.startswith("b") else "RQ_REDIS_URL": url}
        names["PYTHONPATH"] = str(ROOT)
        # With byte code, as where a library is in use: else jobqueue alone, which runs
        # from the checkout, would be compiled each time.
        inherited = {**os.environ}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        return inherited | names

    def written(self) -> int:
        """Return how many bytes the jobs have written."""
        return self.file.stat().st_size if self.file.exists() else 0

    @contextmanager
    def producer(self) -> Iterator["Producer"]:
        """Run a process that puts jobs."""
        module = "tests.benchmarks.peers.producer"
        with subprocess.Popen(
            [self.python, "-m", module, self.contender.app],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield Producer(self.contender, process)
            finally:
                process.kill()

    def fill(self, count: int) -> None:
        """Put no-op jobs, in the fastest way."""
        with self.producer() as producer:
            producer.put_fastest(count)

    @contextmanager
    def workers(self, count: int) -> Iterator[int]:
        """Run a number of worker processes, and yield the session of their tree."""
        with self._run(self.contender.workers(count)) as session:
            yield session

    @contextmanager
    def slots(self, count: int) -> Iterator[int]:
        """Run one process that runs several jobs at a time."""
        if not self.contender.slots:
            raise RuntimeError(f"{self.contender.name} has no slots")
        with self._run(self.contender.slots(count)) as session:
            yield session

    @contextmanager
    def _run(self, command: list[str]) -> Iterator[int]:
        """Run a worker: an option of Python's, or a program beside it."""
        if command[0].startswith("bin/"):
            command[0] = str(self.python.parent / command[0].removeprefix("bin/"))
        with (
            (self.folder / "worker.log").open("ab") as log,
            subprocess.Popen(
                [self.python, *command],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process.pid
            finally:
                _stop(process)

    def log(self) -> str:
        """Return the log of the workers: empty, if all went well."""
        return (self.folder / "worker.log").read_text(errors="replace")


class Producer:
    """A process that puts jobs by commands."""

    def __init__(self, contender: Contender, process: "subprocess.Popen[str]") -> None:
        self._contender = contender
        self._process = process

    def put(self, task: str, count: int) -> float:
        """Put jobs one by one, and return the seconds it took."""
        return self._tell("put", task, count)

    def put_many(self, count: int) -> float:
        """Put no-op jobs in bulk, and return the seconds it took."""
        return self._tell("put_many", count)

    def put_fastest(self, count: int) -> float:
        """Put no-op jobs in bulk if the library can."""
        if self._contender.has_bulk:
            return self.put_many(count)
        return self.put("noop", count)

    def put_stamps(self, pace: float, count: int) -> float:
        """Put jobs at a steady pace; each measures how long it took to start."""
        return self._tell("put_stamps", pace, count)

    def _tell(self, *command: object) -> float:
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise RuntimeError("the producer has no pipes")
        print(json.dumps(command), file=to, flush=True)
        reply = back.readline()
        if not reply:
            raise RuntimeError(f"{self._contender.name}'s producer has failed")
        return float(reply)


@contextmanager
def stage(contender: Contender, python: Path, folder: Path) -> Iterator[Stage]:
    """Run a new server for a library, and yield its place."""
    own = folder / f"{contender.app}-{time.monotonic_ns()}"
    own.mkdir()
    with servers.server(contender.server, own) as port:
        yield Stage(contender, python, own, port)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until a condition holds or the time is over; return whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a worker as its documentation says, or else end it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOPPING)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process_tree.kill(process.pid)
