"""The costs of a worker: memory, CPU while idle, and time to its first job."""

import signal
import time
from contextlib import ExitStack

from tests.benchmarks.peers import process_tree
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.contenders import Contender
from tests.benchmarks.peers.stage import Stage, wait_until

WORKERS = (1, 10)
SAMPLING = 0.1  # seconds
GROWING = 1.01  # times as much as before
MILLI = 1e3


def memory(bench: Bench, contender: Contender) -> None:
    """Measure memory, idle and at work, and how long the first job takes to be done."""
    for workers in WORKERS:
        with bench.stage(contender) as stage:
            stage.fill(1)
            started = time.monotonic()
            with stage.workers(workers) as session:
                await_first(bench, stage)
                if workers == 1:
                    seconds = time.monotonic() - started
                    bench.book.add("start", contender.name, seconds * MILLI)
                idle = _settled_memory(session, bench.settings.settle)
                bench.book.add(f"memory_{workers}", contender.name, idle)
                busy = _busy_memory(bench, stage, session)
                bench.book.add(f"busy_memory_{workers}", contender.name, busy)


def _settled_memory(session: int, pause: float) -> float:
    """Return memory once it has stopped growing: all processes have started."""
    before, now = 0.0, process_tree.memory(session)
    while now > before * GROWING:
        time.sleep(pause)
        before, now = now, process_tree.memory(session)
    return now


def _busy_memory(bench: Bench, stage: Stage, session: int) -> float:
    """Return the peak of several samples of memory while no-op jobs are processed."""
    put_to_stopped(stage, session, bench.settings.busy_jobs)
    expected = stage.written() + bench.settings.busy_jobs
    deadline = time.monotonic() + bench.settings.drain_deadline / 3
    process_tree.send(session, signal.SIGCONT)
    most = process_tree.memory(session)
    while stage.written() < expected and time.monotonic() < deadline:
        time.sleep(SAMPLING)
        most = max(most, process_tree.memory(session))
    return most


def put_to_stopped(stage: Stage, session: int, jobs: int) -> None:
    """Put jobs for a worker that is stopped meanwhile: all are there at once."""
    with stage.producer() as producer:
        producer.put_fastest(1)  # warm up
        time.sleep(SAMPLING)
        process_tree.send(session, signal.SIGSTOP)
        producer.put_fastest(jobs)


def idle(bench: Bench, contenders: list[Contender]) -> None:
    """Measure CPU while there are no jobs, of all libraries at the same time."""
    with ExitStack() as stack:
        trees: list[tuple[str, str, int]] = []
        for contender in contenders:
            for workers, name in ((1, "idle_cpu"), (10, "idle_cpu_10")):
                stage = stack.enter_context(bench.stage(contender))
                stage.fill(1)
                session = stack.enter_context(stage.workers(workers))
                await_first(bench, stage)
                trees.append((name, contender.name, session))
        time.sleep(bench.settings.calm)
        before = [process_tree.cpu(session) for _, _, session in trees]
        time.sleep(bench.settings.idle_seconds)
        for (name, library, session), used in zip(trees, before, strict=True):
            spent = process_tree.cpu(session) - used
            bench.book.add(name, library, spent * MILLI)
        for _, _, session in trees:  # all at once, rather than one after the other
            process_tree.send(session, signal.SIGTERM)


def await_first(bench: Bench, stage: Stage) -> None:
    """Wait until a job is done."""
    if not wait_until(lambda: stage.written() > 0, bench.settings.drain_deadline):
        raise RuntimeError(f"{stage.contender.name} does not start:\n{stage.log()}")
