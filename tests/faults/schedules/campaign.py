"""Workers with periodic tasks, a broker with a binlog, and faults at random."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tests.helpers.paths import ROOT
from tests.helpers.servers import REAL, Beanstalkd
from tests.helpers.worker_process import WorkerProcess

from .timeline import Timeline
from .verdict import Verdict, judge

WORKERS, PROCESSES = 3, 2
LOOK = 0.2  # seconds between two looks for a stall of the machine
STALL = 2.0  # seconds: as long as this, it is a fault


class Campaign:
    """One campaign. ``faketime`` is libfaketime; without it, no clock is set.

    The broker's clock is set only if it is on the same machine as the workers.
    """

    def __init__(
        self,
        folder: Path,
        sockets: Path,
        seed: int,
        *,
        program: str = REAL,
        faketime: str | None = None,
        is_one_machine: bool = False,
    ) -> None:
        self._folder = folder
        self._rng = random.Random(seed)
        self._faketime = faketime
        self._clock_file = folder / "clock"
        self._clock_file.write_text("+0")
        self._runs = folder / "runs"
        self._runs.touch()
        binlog = folder / "binlog"
        binlog.mkdir()
        options = "-b", str(binlog), "-f", "0"
        clock = [f"{name}={value}" for name, value in self._clock().items()]
        self._broker = Beanstalkd(
            sockets / "b.sock",
            *options,
            program=program,
            wrapped_in=["env", *clock] if is_one_machine else (),
        )
        self._workers: list[WorkerProcess] = []
        self._version = 1
        self.timeline = Timeline(is_one_machine=is_one_machine)

    def run(self, seconds: float, pause: tuple[float, float] = (3, 9)) -> Verdict:
        """Run for some seconds, with pauses in this range between the faults."""
        closed = threading.Event()
        with ExitStack() as stack:
            stack.callback(self._broker.kill)
            self._broker.start()
            stack.callback(self._stop_all)
            self._workers = [self._start() for _ in range(WORKERS)]
            for worker in self._workers:
                worker.says("Worker started")
            time.sleep(3)
            begin = self.timeline.begin = time.monotonic()
            self.timeline.deploys.append((begin, self._version))
            watch = threading.Thread(target=self._watch_machine, args=[closed])
            watch.start()
            stack.callback(watch.join)
            stack.callback(closed.set)
            faults = self._faults()
            left: list[str] = []
            while time.monotonic() < begin + seconds - pause[1]:
                time.sleep(self._rng.uniform(*pause))
                left = left or self._rng.sample([*faults], len(faults))
                name = left.pop()
                with self.timeline.fault(name):
                    faults[name]()
            time.sleep(15)  # for the last to be put, and to run
            self.timeline.end = time.monotonic() - 12
        self.timeline.save(self._folder / "timeline")
        return judge(self._runs, self.timeline)

    def _faults(self) -> dict[str, Callable[[], None]]:
        faults: dict[str, Callable[[], None]] = {
            "kill of a process": self._kill_process,
            "kill of a worker": self._kill_worker,
            "stop of a worker": self._stop_worker,
            "freeze": self._freeze,
            "restart of the broker": self._restart_broker,
            "long restart": self._restart_broker_long,
            "no worker": self._no_worker,
            "deploy": self._deploy,
            "kick by a stranger": self._kick,
        }
        if self._faketime:
            faults |= {
                "clock forward": lambda: self._step(self._rng.choice([1, 3, 10, 75])),
                "clock back": lambda: self._step(-self._rng.choice([1, 3, 10, 75])),
            }
        return faults

    def _start(self) -> WorkerProcess:
        env: dict[str, Any] = self._clock() | {
            "BEANSTALKD_URL": self._broker.url,
            "PYTHONPATH": str(ROOT),
            "RUNS": str(self._runs),
            "VERSION": str(self._version),
        }
        return WorkerProcess(
            self._folder,
            "--import=tests.faults.schedules.tasks",
            f"--processes={PROCESSES}",
            **env,
        )

    def _clock(self) -> dict[str, str]:
        """Return the environment of a program whose clock can be set."""
        if not self._faketime:
            return {}
        return {
            "LD_PRELOAD": self._faketime,
            "FAKETIME_TIMESTAMP_FILE": str(self._clock_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def _stop_all(self) -> None:
        for worker in self._workers:
            worker.__exit__()

    def _pick(self) -> int:
        return self._rng.randrange(WORKERS)

    def _random_process(self) -> int | None:
        children = self._workers[self._pick()].children()
        return self._rng.choice(children) if children else None

    def _kill_process(self) -> None:
        pid = self._random_process()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _kill_worker(self) -> None:
        n = self._pick()
        self._workers[n].__exit__()
        self._workers[n] = self._start()
        self._workers[n].says("Worker started")

    def _stop_worker(self) -> None:
        self._replace(self._pick())

    def _freeze(self) -> None:
        pid = self._random_process()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(
                    self._rng.choice([0.5, 4, 12])
                )  # the last: longer than the ttr
                os.kill(pid, signal.SIGCONT)

    def _restart_broker(self, least: float = 0.1, most: float = 1.5) -> None:
        self._broker.kill()
        time.sleep(self._rng.uniform(least, most))
        self._broker.start()

    def _restart_broker_long(self) -> None:
        self._restart_broker(4, 12)

    def _no_worker(self) -> None:
        for worker in self._workers:
            worker.signal(signal.SIGTERM)
        for worker in self._workers:
            worker.exit_code()
        time.sleep(self._rng.uniform(0, 10))
        self._workers = [self._start() for _ in range(WORKERS)]
        self._workers[0].says("Worker started")

    def _deploy(self) -> None:
        """Replace one worker after the other by one with other code."""
        self._version += 1
        for n in range(WORKERS):
            self._replace(n)
        self.timeline.deploys.append((time.monotonic(), self._version))

    def _replace(self, n: int) -> None:
        self._workers[n].signal(signal.SIGTERM)
        self._workers[n].exit_code()
        self._workers[n] = self._start()
        self._workers[n].says("Worker started")

    def _kick(self) -> None:
        """Have a stranger kick everything, ticks as well."""
        with self._broker.client() as client:
            for tube in client.tubes():
                client.use(tube)
                client.kick(1000)

    def _step(self, seconds: int) -> None:
        self.timeline.step(seconds)
        offset = f"{self.timeline.offset:+d}"
        new = self._clock_file.with_suffix(".new")
        new.write_text(offset)
        new.rename(self._clock_file)

    def _watch_machine(self, closed: threading.Event) -> None:
        """Note when the machine lets this process wait for long, and so the others."""
        looked_at = time.monotonic()
        while not closed.wait(LOOK):
            now = time.monotonic()
            if now - looked_at > STALL:
                with self.timeline.fault("stall of the machine"):
                    pass
            looked_at = now
