"""The faults of a campaign: each harms workers, the broker or connections, and ends."""

import os
import random
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.helpers.servers import DEADLINE, Beanstalkd, eventually_true
from tests.helpers.worker_process import WorkerProcess

from .proxy import Kind, Proxy, random_trouble

LONG = 3 * DEADLINE  # seconds, for a process to end

Pids = Collection[int] | None  # processes that a fault may have cost a job; None: any
Fault = Callable[["Scene"], Iterator[Pids]]


class StartWorker(Protocol):
    """Starts workers."""

    def __call__(self) -> WorkerProcess: ...


@dataclass(slots=True)
class Scene:
    """All that faults can harm."""

    rng: random.Random
    broker: Beanstalkd
    proxies: list[Proxy]
    start_worker: StartWorker
    workers: list[WorkerProcess] = field(default_factory=list)
    exits: list[threading.Thread] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def random_worker(self) -> WorkerProcess:
        return self.rng.choice(self.workers)

    def random_child(self) -> int | None:
        """Return the pid of a process of a supervisor, if there is one now."""
        pids = children(self.random_worker().process.pid)
        return self.rng.choice(pids) if pids else None

    def replace(self, worker: WorkerProcess) -> None:
        self.workers[self.workers.index(worker)] = self.start_worker()

    def await_exit(self, worker: WorkerProcess, *, expected: int) -> None:
        """Wait, in a thread, for the end of a worker and its processes."""
        pids = children(worker.process.pid)

        def wait() -> None:
            with worker:
                status = worker.exit_code(LONG)
                eventually_true(lambda: not any(map(_exists, pids)), LONG)
            # A worker that gets the signal before it has its handlers has not begun.
            has_begun = "Worker started" in worker.log or "Supervisor" in worker.log
            if status != expected and (has_begun or status != -signal.SIGTERM):
                self.failures.append(
                    f"a worker ended with {status}: {worker.log[-2000:]}"
                )

        self.exits.append(threading.Thread(target=wait))
        self.exits[-1].start()


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in found.split()]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def worker_killed(scene: Scene) -> Iterator[Pids]:
    pid = scene.random_child()
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        yield {pid}


def worker_frozen(scene: Scene) -> Iterator[Pids]:
    """Freeze a process for less than the time to run of its jobs.

    Longer freezes are in test_workers.py and test_time_to_run.py.
    """
    pid = scene.random_child()
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        yield ()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def deploy(scene: Scene) -> Iterator[Pids]:
    """Start a new worker, and stop the old one. No job may run twice for this."""
    worker = scene.random_worker()
    scene.replace(worker)
    yield ()
    worker.signal(signal.SIGTERM)
    scene.await_exit(worker, expected=0)


def supervisor_killed(scene: Scene) -> Iterator[Pids]:
    """Its processes finish their jobs, so no job may run twice for this either."""
    worker = scene.random_worker()
    scene.replace(worker)
    scene.await_exit(worker, expected=-signal.SIGKILL)
    worker.signal(signal.SIGKILL)
    yield ()


def broker_killed(scene: Scene) -> Iterator[Pids]:
    scene.broker.kill()
    yield None
    start(scene.broker)


def start(broker: Beanstalkd) -> None:
    """Start the broker, and wait until it has read its binlog.

    beanstalkd listens before that. If it is killed while it creates a file of the
    binlog, it never removes that file, and is slow from then on.
    """
    broker.start()
    broker.connections()


def broker_frozen(scene: Scene) -> Iterator[Pids]:
    """Freeze the broker for a moment, shorter than any time-out."""
    scene.broker.signal(signal.SIGSTOP)
    yield ()
    scene.broker.signal(signal.SIGCONT)


def broker_drained(scene: Scene) -> Iterator[Pids]:
    """Have the broker take no jobs. Only a restart ends that."""
    scene.broker.drain()
    yield None
    scene.broker.kill()
    start(scene.broker)


def connection_troubled(scene: Scene) -> Iterator[Pids]:
    """Cut, half-close or garble some connections; the proxy notes which."""
    for proxy in scene.proxies:
        for link in proxy.links():
            if scene.rng.random() < 1 / 4:
                link.arm(random_trouble(scene.rng))
    yield ()


def connections_stalled(scene: Scene) -> Iterator[Pids]:
    proxy = scene.rng.choice(scene.proxies)
    proxy.stall()
    yield ()
    proxy.flow()


def connections_throttled(scene: Scene) -> Iterator[Pids]:
    proxy = scene.rng.choice(scene.proxies)
    proxy.chunk = 1
    yield ()
    proxy.chunk = 0


# Each with its weight.
ALL: dict[Fault, int] = {
    connection_troubled: 12,
    connections_stalled: 2,
    connections_throttled: 2,
    worker_killed: 5,
    worker_frozen: 3,
    deploy: 2,
    supervisor_killed: 1,
    broker_killed: 2,
    broker_frozen: 2,
    broker_drained: 1,
}


def name_of(fault: Fault) -> str:
    return getattr(fault, "__name__", "?").replace("_", "-")


@contextmanager
def injected(fault: Fault, scene: Scene) -> Iterator[list[Pids]]:
    """Inject a fault for the time of the block; yield the processes that it may hit."""
    yielded = fault(scene)
    hit = list(_first(yielded))
    yield hit
    for _ in yielded:
        raise AssertionError(f"{name_of(fault)} yields once")


def _first(pids: Iterator[Pids]) -> Iterator[Pids]:
    try:
        yield next(pids)
    except StopIteration:
        return


def duration(rng: random.Random) -> float:
    """Return how long a fault lasts, in seconds."""
    return rng.choice([0, 0, 0.05, 0.1, 0.2, 0.5])


def trouble_name(kind: Kind) -> str:
    return kind.value.replace(" ", "-")
