"""What is done to workers, the broker, and what lies between: done, and undone."""

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

from .proxy import Proxy, What, some_trouble

LONG = 3 * DEADLINE  # seconds, for a process to end

Pids = Collection[int] | None  # whom a fault may have cost a job; None: anybody
Fault = Callable[["Scene"], Iterator[Pids]]


class Enlist(Protocol):
    """Starts workers."""

    def __call__(self) -> WorkerProcess: ...


@dataclass(slots=True)
class Scene:
    """All that faults happen to."""

    chance: random.Random
    broker: Beanstalkd
    proxies: list[Proxy]
    enlist: Enlist
    crews: list[WorkerProcess] = field(default_factory=list)
    leaving: list[threading.Thread] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # what should not have happened

    def some_crew(self) -> WorkerProcess:
        return self.chance.choice(self.crews)

    def some_worker(self) -> int | None:
        """Return the pid of a worker process, if there is one at the moment."""
        pids = children(self.some_crew().process.pid)
        return self.chance.choice(pids) if pids else None

    def replace(self, crew: WorkerProcess) -> None:
        self.crews[self.crews.index(crew)] = self.enlist()

    def sees_off(self, crew: WorkerProcess, *, expected: int) -> None:
        """Wait, beside all else, for the end of a crew and its processes."""
        pids = children(crew.process.pid)

        def wait() -> None:
            with crew:
                status = crew.exit_code(LONG)
                eventually_true(lambda: not any(map(_exists, pids)), LONG)
            # One that is told to stop before it can listen has not begun.
            has_begun = "Worker started" in crew.log or "Supervisor" in crew.log
            if status != expected and (has_begun or status != -signal.SIGTERM):
                self.wrong.append(f"a crew ended with {status}: {crew.log[-2000:]}")

        self.leaving.append(threading.Thread(target=wait))
        self.leaving[-1].start()


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
    pid = scene.some_worker()
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        yield {pid}


def worker_frozen(scene: Scene) -> Iterator[Pids]:
    """Freeze a worker for a moment that its jobs' time to run outlasts."""
    pid = scene.some_worker()
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        yield ()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def deploy(scene: Scene) -> Iterator[Pids]:
    """Start new workers, and have the old ones drain. This must cost nothing."""
    crew = scene.some_crew()
    scene.replace(crew)
    yield ()
    crew.signal(signal.SIGTERM)
    scene.sees_off(crew, expected=0)


def supervisor_killed(scene: Scene) -> Iterator[Pids]:
    """Its processes drain, so this must cost nothing either."""
    crew = scene.some_crew()
    scene.replace(crew)
    scene.sees_off(crew, expected=-signal.SIGKILL)
    crew.signal(signal.SIGKILL)
    yield ()


def broker_killed(scene: Scene) -> Iterator[Pids]:
    scene.broker.kill()
    yield None
    start(scene.broker)


def start(broker: Beanstalkd) -> None:
    """Start it, and wait until it has read its binlog.

    beanstalkd 1.12 listens before. If it is killed while it makes a file, it never gets
    rid of that one, and is slow ever after.
    """
    broker.start()
    broker.connections()


def broker_frozen(scene: Scene) -> Iterator[Pids]:
    """Freeze the broker for a moment, shorter than any time-out."""
    scene.broker.signal(signal.SIGSTOP)
    yield ()
    scene.broker.signal(signal.SIGCONT)


def broker_drained(scene: Scene) -> Iterator[Pids]:
    """Have it take no jobs. Only a restart ends that."""
    scene.broker.drain()
    yield None
    scene.broker.kill()
    start(scene.broker)


def connection_troubled(scene: Scene) -> Iterator[Pids]:
    """Cut, half-close or garble some connections; the proxy notes who had what."""
    for proxy in scene.proxies:
        for link in proxy.links():
            if scene.chance.random() < 1 / 4:
                link.arm(some_trouble(scene.chance))
    yield ()


def connections_stalled(scene: Scene) -> Iterator[Pids]:
    proxy = scene.chance.choice(scene.proxies)
    proxy.stall()
    yield ()
    proxy.flow()


def connections_throttled(scene: Scene) -> Iterator[Pids]:
    proxy = scene.chance.choice(scene.proxies)
    proxy.chunk = 1
    yield ()
    proxy.chunk = 0


# By how often each is chosen.
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
def suffered(fault: Fault, scene: Scene) -> Iterator[list[Pids]]:
    """Inject a fault, and mend it at the end; yields whom it may have cost jobs."""
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


def moment(chance: random.Random) -> float:
    """Return how long a fault lasts, in seconds: mostly not long."""
    return chance.choice([0, 0, 0.05, 0.1, 0.2, 0.5])


def trouble_name(what: What) -> str:
    return what.value.replace(" ", "-")
