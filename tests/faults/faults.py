"""The faults of a campaign: each harms workers, the broker or connections, and ends."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.helpers.servers import DEADLINE, Beanstalkd, eventually_true
from tests.helpers.worker_process import WorkerProcess

from .books import NOBODY, Processes
from .proxy import Kind, Proxy, random_trouble
from .recording import TTR

LONG = 3 * DEADLINE  # seconds, for a process to end

LONGER_THAN_TTR = 1.5 * TTR  # seconds


class Hit(NamedTuple):
    """The processes that a fault may have cost a job, and those that it has hit."""

    costs: Processes
    targets: Processes


EVERYBODY = Hit(None, None)
Fault = Callable[["Scene"], Iterator[Hit]]


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


def worker_killed(scene: Scene) -> Iterator[Hit]:
    pid = scene.random_child()
    if pid is not None:
        _signal(pid, signal.SIGKILL)
        yield Hit(frozenset({pid}), frozenset({pid}))


def worker_frozen(scene: Scene) -> Iterator[Hit]:
    """Freeze a process for less than the time to run of its jobs."""
    pid = scene.random_child()
    if pid is not None:
        _signal(pid, signal.SIGSTOP)
        yield Hit(NOBODY, frozenset({pid}))
        _signal(pid, signal.SIGCONT)


def worker_frozen_for_long(scene: Scene) -> Iterator[Hit]:
    """Freeze a process for longer than the time to run of some of its jobs."""
    pid = scene.random_child()
    if pid is not None:
        _signal(pid, signal.SIGSTOP)
        yield Hit(frozenset({pid}), frozenset({pid}))
        time.sleep(LONGER_THAN_TTR)
        _signal(pid, signal.SIGCONT)


def _signal(pid: int, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)


def deploy(scene: Scene) -> Iterator[Hit]:
    """Start a new worker, and stop the old one. No job may run twice for this."""
    worker = scene.random_worker()
    scene.replace(worker)
    yield Hit(NOBODY, frozenset(children(worker.process.pid)))
    worker.signal(signal.SIGTERM)
    scene.await_exit(worker, expected=0)


def supervisor_killed(scene: Scene) -> Iterator[Hit]:
    """Its processes finish their jobs, so no job may run twice for this either."""
    worker = scene.random_worker()
    scene.replace(worker)
    scene.await_exit(worker, expected=-signal.SIGKILL)
    pids = frozenset(children(worker.process.pid))
    worker.signal(signal.SIGKILL)
    yield Hit(NOBODY, pids)


def broker_killed(scene: Scene) -> Iterator[Hit]:
    scene.broker.kill()
    yield EVERYBODY
    start(scene.broker)


def start(broker: Beanstalkd) -> None:
    """Start the broker, and wait until it has read its binlog.

    beanstalkd listens before that. If it is killed while it creates a file of the
    binlog, it never removes that file, and is slow from then on.
    """
    broker.start()
    broker.connections()


def broker_frozen(scene: Scene) -> Iterator[Hit]:
    """Freeze the broker for a moment, shorter than any time-out."""
    scene.broker.signal(signal.SIGSTOP)
    yield Hit(NOBODY, None)
    scene.broker.signal(signal.SIGCONT)


def broker_drained(scene: Scene) -> Iterator[Hit]:
    """Have the broker take no jobs. Only a restart ends that."""
    scene.broker.drain()
    yield EVERYBODY
    scene.broker.kill()
    start(scene.broker)


def connection_troubled(scene: Scene) -> Iterator[Hit]:
    """Cut, half-close or garble some connections; the proxy notes which."""
    for proxy in scene.proxies:
        for link in proxy.links():
            if scene.rng.random() < 1 / 4:
                link.arm(random_trouble(scene.rng))
    yield Hit(NOBODY, NOBODY)


def pids_of(proxy: Proxy) -> frozenset[int]:
    return frozenset(link.pid for link in proxy.links())


def connections_stalled(scene: Scene) -> Iterator[Hit]:
    proxy = scene.rng.choice(scene.proxies)
    proxy.stall()
    yield Hit(NOBODY, pids_of(proxy))
    proxy.flow()


def connections_throttled(scene: Scene) -> Iterator[Hit]:
    proxy = scene.rng.choice(scene.proxies)
    proxy.chunk = 1
    yield Hit(NOBODY, pids_of(proxy))
    proxy.chunk = 0


# Each with its weight.
ALL: dict[Fault, int] = {
    connection_troubled: 12,
    connections_stalled: 2,
    connections_throttled: 2,
    worker_killed: 5,
    worker_frozen: 3,
    worker_frozen_for_long: 1,
    deploy: 2,
    supervisor_killed: 1,
    broker_killed: 2,
    broker_frozen: 2,
    broker_drained: 1,
}


def name_of(fault: Fault) -> str:
    return getattr(fault, "__name__", "?").replace("_", "-")


@contextmanager
def injected(fault: Fault, scene: Scene) -> Iterator[list[Hit]]:
    """Inject a fault for the time of the block; yield the processes that it hits."""
    yielded = fault(scene)
    yield list(_first(yielded))
    for _ in yielded:
        raise AssertionError(f"{name_of(fault)} yields once")


def _first(hits: Iterator[Hit]) -> Iterator[Hit]:
    try:
        yield next(hits)
    except StopIteration:
        return


def duration(rng: random.Random) -> float:
    """Return how long a fault lasts, in seconds."""
    return rng.choice([0, 0, 0.05, 0.1, 0.2, 0.5])


def trouble_name(kind: Kind) -> str:
    return kind.value.replace(" ", "-")
