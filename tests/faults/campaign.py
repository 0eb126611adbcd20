"""Producers, workers, an operator and a broker with a binlog, and faults at random."""

import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path

from jobqueue import JobQueue
from tests.helpers.paths import ROOT
from tests.helpers.servers import REAL, Beanstalkd
from tests.helpers.worker_process import WorkerProcess

from . import faults
from .binlog import WatchedBeanstalkd
from .faults import Fault, Scene
from .hold_ups import watching
from .ledger import Ledger
from .leftovers import look_at_buried, take_out_stranded
from .operating import Operator
from .producers import Producer
from .proxy import Proxy, TroubleRecord
from .recording import TUBES
from .size import Size
from .verdict import Verdict, judge

# So long that only a fault can end it, on a busy machine, too.
TIMEOUT = 60  # seconds
OPERATORS_TIMEOUT = 10  # seconds: a command that fails is run again
PRODUCERS = 3
BACKLOG = 200  # ready jobs: enough to keep all workers busy
PATIENCE = 10  # seconds, to wait until workers are busy


class Campaign:
    """One campaign. It raises an AssertionError if a put, a worker or a wait fails.

    All choices come from the seed, but not the order in which processes get on.
    ``program`` is the beanstalkd.
    """

    def __init__(
        self, folder: Path, sockets: Path, seed: int, size: Size, program: str = REAL
    ) -> None:
        self._folder = folder
        self._sockets = sockets
        self._rng = random.Random(seed)
        self._size = size
        self._program = program
        self._lock = threading.Lock()
        self._next = 1
        self._slots = size.workers * size.processes * size.threads
        self._backlog = 0
        self._is_busy = False  # half of the slots at least
        self._injected_at = time.monotonic()
        self._producers: list[Producer] = []
        self.ledger = Ledger(folder / "ledger")
        self._injected = 0
        self._broker_seen_at = time.monotonic()
        self._proxies: list[Proxy] = []

    @property
    def fault_count(self) -> int:
        """The number of faults so far."""
        return self._injected + sum(len(proxy.troubles) for proxy in self._proxies)

    @property
    def job_count(self) -> int:
        """The number of jobs so far whose puts were confirmed."""
        return sum(producer.confirmed for producer in self._producers)

    def run(self) -> Verdict:
        """Run the campaign, and return what became of the jobs."""
        binlog = self._folder / "binlog"
        binlog.mkdir()
        path = self._sockets / "b.sock"
        broker = WatchedBeanstalkd(path, binlog, self._program, self.ledger)
        with ExitStack() as stack:
            stack.callback(self.ledger.close)
            stack.callback(broker.kill)
            broker.start()
            above, below, unharmed = (
                stack.enter_context(self._proxy(name, broker)) for name in "pwq"
            )
            self._proxies = [above, below]
            scene = Scene(
                self._rng, broker, self._proxies, lambda: self._start_worker(below)
            )
            stack.enter_context(_running_workers(scene, self._size.workers))
            stack.enter_context(watching(self.ledger, unharmed.path))
            self._producers = self._make_producers(above.url, stack)
            operator = self._make_operator(above.url)
            failures = self._inject_faults(scene, operator)
            self._wait_for_the_end(scene)
            look_at_buried(broker, TUBES, self.ledger)
        failures += scene.failures
        if failures:
            raise AssertionError("\n".join(failures))
        return judge(self.ledger.read())

    def _proxy(self, name: str, broker: Beanstalkd) -> Proxy:
        path = self._sockets / f"{name}.sock"
        return Proxy(path, str(broker.target), on_trouble=self._note_trouble)

    def _note_trouble(self, record: TroubleRecord) -> None:
        name = faults.trouble_name(record.trouble.kind)
        pids = frozenset({record.pid})
        self.ledger.fault(name, record.at, record.until, pids, pids)

    def _start_worker(self, proxy: Proxy) -> WorkerProcess:
        size = self._size
        return WorkerProcess(
            self._folder,
            f"--import={size.tasks}",
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
                import_module(self._size.tasks).KINDS,
            )
            for _ in range(PRODUCERS)
        ]

    def _make_operator(self, url: str) -> Operator:
        rng = random.Random(self._rng.random())
        url = f"{url}?timeout={OPERATORS_TIMEOUT}"
        return Operator(self.ledger, url, self._folder, rng)

    def _numbers(self) -> Iterator[Sequence[int]]:
        """Yield the numbers of the next jobs, until there are enough.

        Jobs are put as long as faults are to come, so that each fault can hit some.
        """
        rng = random.Random(self._rng.random())
        size = self._size
        while True:
            with self._lock:
                if self.job_count >= size.jobs and self.fault_count >= size.faults:
                    return
                if is_due := self._backlog < BACKLOG:
                    count = rng.choice([1, 1, 1, 1, 2, 10, 30])
                    numbers = range(self._next, self._next + count)
                    self._next = numbers.stop
            if is_due:
                yield numbers
            time.sleep(0.002 if is_due else 0.05)

    def _inject_faults(self, scene: Scene, operator: Operator) -> list[str]:
        threads = [threading.Thread(target=p.run) for p in self._producers]
        operating = threading.Thread(target=operator.run)
        for thread in [*threads, operating]:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self._restart_if_crashed(scene.broker)
            self._count_jobs(scene.broker)
            if self._is_fault_due():
                (fault,) = self._rng.choices(
                    list(faults.ALL), list(faults.ALL.values())
                )
                self._inject(fault, scene)
            time.sleep(self._rng.uniform(0, 0.2))
        operator.stopping.set()
        operating.join()
        failures = [f for producer in self._producers for f in producer.failures]
        return [*failures, *operator.failures]

    def _count_jobs(self, broker: Beanstalkd) -> None:
        with suppress(OSError):  # it may have crashed just now
            counts = [broker.counts(tube) for tube in TUBES]
            self._backlog = sum(count.get("ready", 0) for count in counts)
            self._is_busy = 2 * sum(n.get("reserved", 0) for n in counts) >= self._slots

    def _is_fault_due(self) -> bool:
        """Return whether to inject a fault: if workers are busy, and jobs keep pace."""
        size = self._size
        share = self.job_count / size.jobs
        is_in_pace = share >= 1 or self.fault_count / size.faults <= share
        is_left = self.fault_count < size.faults
        has_waited = time.monotonic() > self._injected_at + PATIENCE
        return is_left and is_in_pace and (self._is_busy or has_waited)

    def _inject(self, fault: Fault, scene: Scene) -> None:
        began = self._injected_at = time.monotonic()
        with faults.injected(fault, scene) as hits:
            time.sleep(faults.duration(self._rng))
        if hits and fault is not faults.connection_troubled:  # noted by the proxy
            name = faults.name_of(fault)
            self.ledger.fault(name, began, time.monotonic(), *hits[0])
            self.ledger.note("load", os.getloadavg()[0])
            self._injected += 1

    def _wait_for_the_end(self, scene: Scene) -> None:
        """Wait until all jobs have ended or are buried."""
        deadline = time.monotonic() + self._size.within
        counts = {"ready": 1}
        while counts.keys() - {"buried"}:
            assert time.monotonic() < deadline, f"after all this time: {counts}"
            time.sleep(0.1)
            self._restart_if_crashed(scene.broker)
            with suppress(OSError):  # it may have ended just now
                take_out_stranded(scene.broker, TUBES, self.ledger)
                counts = {}
                for tube in TUBES:
                    counts |= scene.broker.counts(tube)

    def _restart_if_crashed(self, broker: Beanstalkd) -> None:
        """Start the broker again if it has crashed, as an init system would.

        beanstalkd may crash. That is one more fault, and no excuse for a loss.
        """
        status = broker.status
        if status is not None:
            faults.start(broker)
            name = f"broker-crashed-with-{status}"
            now = time.monotonic()
            self.ledger.fault(name, self._broker_seen_at, now, None, None)
        self._broker_seen_at = time.monotonic()


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
