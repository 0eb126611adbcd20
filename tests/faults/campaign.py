"""Producers, workers and a broker with a binlog, and faults at random, by a seed."""

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobqueue import BrokerError, JobQueue, PutManyError
from tests.helpers.paths import ROOT
from tests.helpers.raw_client import RawClient
from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import WorkerProcess

from . import faults, tasks
from .faults import Fault, Scene
from .ledger import Ledger, Verdict
from .proxy import Proxy, TroubleRecord

# So long that only a fault can end it, on a busy machine, too.
TIMEOUT = 60  # seconds
TTR = 600  # seconds
PRODUCERS = 3


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a campaign."""

    jobs: int  # whose puts are confirmed
    faults: int
    workers: int = 2
    processes: int = 2
    threads: int = 3
    within: float = 120  # seconds, for all jobs to have run after the last fault


@dataclass(slots=True)
class Producer:
    """A thread that puts jobs, and notes the result of each put."""

    ledger: Ledger
    queue: JobQueue
    rng: random.Random
    numbers: Iterator[Sequence[int]]
    confirmed: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        try:
            for numbers in self.numbers:
                self._put(numbers)
        except Exception as error:  # noqa: BLE001 - a put may raise no other error
            self.failures.append(f"a put has raised {error!r}")

    def _put(self, numbers: Sequence[int]) -> None:
        name = self.rng.choices(list(tasks.ALL), [60, 5, 5, 2, 1])[0]
        func: Any = tasks.ALL[name].__wrapped__
        task = self.queue.task(tasks.TUBE, ttr=TTR, max_lost=5)(func)
        self.ledger.sent(numbers)
        if len(numbers) > 1:
            self._put_many(task, numbers)
            return
        try:
            self.ledger.confirmed({numbers[0]: task.put(number=numbers[0])})
            self.confirmed += 1
        except BrokerError:
            self._wait()  # nobody knows whether it was put

    def _put_many(self, task: Any, numbers: Sequence[int]) -> None:
        ids: dict[int, int] = {}
        sent = 0
        try:
            ids = dict(enumerate(task.put_many({"number": n} for n in numbers)))
            sent = len(numbers)
        except PutManyError as error:
            ids = error.ids
            sent = _maybe_put(error, len(numbers))
            self._wait()
        except BrokerError:
            self._wait()  # before the first was sent
        self.ledger.confirmed({numbers[n]: job_id for n, job_id in ids.items()})
        self.confirmed += len(ids)
        self.ledger.refused(
            numbers[n] for n in range(sent, len(numbers)) if n not in ids
        )

    def _wait(self) -> None:
        time.sleep(self.rng.uniform(0, 0.2))


class Campaign:
    """One campaign. It raises an AssertionError if a put, a worker or a wait fails."""

    def __init__(self, folder: Path, sockets: Path, seed: int, size: Size) -> None:
        self._folder = folder
        self._sockets = sockets
        self._rng = random.Random(seed)
        self._size = size
        self._lock = threading.Lock()
        self._next = 0
        self._producers: list[Producer] = []
        self.ledger = Ledger(folder / "ledger")
        self._injected = 0
        self._broker_seen_at = time.monotonic()
        self._proxies: list[Proxy] = []

    @property
    def fault_count(self) -> int:
        """The number of faults so far."""
        return self._injected + sum(len(proxy.troubles) for proxy in self._proxies)

    def run(self) -> Verdict:
        """Run the campaign, and return what became of the jobs."""
        binlog = self._folder / "binlog"
        binlog.mkdir()
        broker = Beanstalkd(self._sockets / "b.sock", "-b", str(binlog), "-f", "0")
        with ExitStack() as stack:
            stack.callback(self.ledger.close)
            stack.callback(broker.kill)
            broker.start()
            above, below = (
                stack.enter_context(self._proxy(name, broker)) for name in ("p", "w")
            )
            self._proxies = [above, below]
            scene = Scene(
                self._rng, broker, self._proxies, lambda: self._start_worker(below)
            )
            stack.enter_context(_running_workers(scene, self._size.workers))
            self._producers = self._make_producers(above.url, stack)
            failures = self._inject_faults(scene)
            buried = self._wait_for_the_end(scene)
        failures += scene.failures
        if failures:
            raise AssertionError("\n".join(failures))
        return self.ledger.read().verdict(*buried)

    def _proxy(self, name: str, broker: Beanstalkd) -> Proxy:
        path = self._sockets / f"{name}.sock"
        return Proxy(path, str(broker.target), on_trouble=self._note_trouble)

    def _note_trouble(self, record: TroubleRecord) -> None:
        name = faults.trouble_name(record.trouble.kind)
        self.ledger.fault(name, record.at, record.until, {record.pid})

    def _start_worker(self, proxy: Proxy) -> WorkerProcess:
        size = self._size
        return WorkerProcess(
            self._folder,
            "--import=tests.faults.tasks",
            f"--processes={size.processes}",
            f"--threads={size.threads}",
            BEANSTALKD_URL=f"{proxy.url}?timeout={TIMEOUT}",
            PYTHONPATH=str(ROOT),
            FAULTS_LEDGER=str(self.ledger.path),
        )

    def _make_producers(self, url: str, stack: ExitStack) -> list[Producer]:
        queue = stack.enter_context(JobQueue(f"{url}?timeout={TIMEOUT}"))
        return [
            Producer(
                self.ledger,
                queue,
                random.Random(self._rng.random()),
                self._numbers(),
            )
            for _ in range(PRODUCERS)
        ]

    def _numbers(self) -> Iterator[Sequence[int]]:
        """Yield the numbers of the next jobs, until there are enough.

        Jobs are put as long as faults are to come, so that each fault can hit some.
        """
        rng = random.Random(self._rng.random())
        while True:
            count = rng.choice([1, 1, 1, 1, 2, 10, 50])
            with self._lock:
                confirmed = sum(producer.confirmed for producer in self._producers)
                if (
                    confirmed >= self._size.jobs
                    and self.fault_count >= self._size.faults
                ):
                    return
                numbers = range(self._next, self._next + count)
                self._next = numbers.stop
            yield numbers
            # Slow down if the jobs are ahead, so that the last faults can hit some.
            share = confirmed / self._size.jobs - self.fault_count / self._size.faults
            time.sleep(0.2 if share > 0 else 0.002)

    def _inject_faults(self, scene: Scene) -> list[str]:
        threads = [threading.Thread(target=p.run) for p in self._producers]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self._restart_if_crashed(scene.broker)
            if self.fault_count < self._size.faults:
                (fault,) = self._rng.choices(
                    list(faults.ALL), list(faults.ALL.values())
                )
                self._inject(fault, scene)
            time.sleep(self._rng.uniform(0, 0.2))
        return [f for producer in self._producers for f in producer.failures]

    def _inject(self, fault: Fault, scene: Scene) -> None:
        began = time.monotonic()
        with faults.injected(fault, scene) as hit:
            time.sleep(faults.duration(self._rng))
        if hit and fault is not faults.connection_troubled:  # noted by the proxy
            self.ledger.fault(faults.name_of(fault), began, time.monotonic(), hit[0])
            self._injected += 1

    def _wait_for_the_end(self, scene: Scene) -> tuple[set[int], set[int]]:
        """Wait until all jobs have run or are buried; see :func:`_buried`."""
        deadline = time.monotonic() + self._size.within
        counts = {"ready": 1}
        while counts.keys() - {"buried"}:
            assert time.monotonic() < deadline, f"after all this time: {counts}"
            time.sleep(0.1)
            self._restart_if_crashed(scene.broker)
            with suppress(OSError):  # it may have ended just now
                counts = scene.broker.counts(tasks.TUBE)
        return _buried(scene.broker)

    def _restart_if_crashed(self, broker: Beanstalkd) -> None:
        """Start the broker again if it has crashed, as an init system would.

        beanstalkd may crash. That is one more fault, and no excuse for a loss.
        """
        status = broker.status
        if status is not None:
            faults.start(broker)
            name = f"broker-crashed-with-{status}"
            self.ledger.fault(name, self._broker_seen_at, time.monotonic(), None)
        self._broker_seen_at = time.monotonic()


def _maybe_put(error: PutManyError, count: int) -> int:
    """Return how many items, from the first, may have been put."""
    if not error.unconfirmed:
        return 0
    if len(error.ids) == error.index:  # and none was refused
        return error.index + error.unconfirmed
    return count


@contextmanager
def _running_workers(scene: Scene, count: int) -> Iterator[None]:
    """Run some workers, each a supervisor with its processes; stop them at the end."""
    try:
        scene.workers += [scene.start_worker() for _ in range(count)]
        yield
        for worker in scene.workers.copy():
            scene.workers.remove(worker)
            worker.process.terminate()
            scene.await_exit(worker, expected=0)
    finally:
        for worker in scene.workers:
            worker.process.kill()
        for thread in scene.exits:
            thread.join()


def _buried(broker: Beanstalkd) -> tuple[set[int], set[int]]:
    """Delete the buried jobs; return the numbers of those whose bodies are whole.

    Return the ids of the others: beanstalkd was killed while it moved them in the
    binlog.
    """
    numbers, destroyed = set(), set()
    with RawClient(broker.target) as client:
        client.ask(b"use " + tasks.TUBE.encode())
        while (found := client.ask(b"peek-buried")).startswith(b"FOUND"):
            line, _, body = found.partition(b"\r\n")
            job_id = int(line.split()[1])
            try:
                numbers.add(json.loads(body)["kwargs"]["number"])
            except ValueError:
                destroyed.add(job_id)
            client.ask(b"delete %d" % job_id)
    return numbers, destroyed
