"""How fast a worker processes jobs, beside what the protocol allows.

    python tests/benchmarks/worker.py [--jobs N] [--rounds N] [--seconds S]

Starts a beanstalkd of its own, and real workers. Contenders take turns in every round,
so that a slow moment of the machine hits them alike; what counts are the ratios. The
workers log warnings only, as a line for each job would cost more than the job.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jobqueue import JobQueue, Worker

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks import contest
from tests.helpers.servers import REAL, Beanstalkd, eventually, free_port
from tests.helpers.worker_process import copy_app

WARM_UP = 5  # rounds: a new worker is slower, as it asks about each job for a while

Items = Iterable[Mapping[str, object]]


def main() -> None:
    """Measure, and print rates and ratios."""
    parser = argparse.ArgumentParser(description="How fast are jobs processed?")
    parser.add_argument("--jobs", type=int, default=2000, help="each, in each round")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60, help="of idling")
    options = parser.parse_args()
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        Beanstalkd(port, program=REAL) as broker,
    ):
        bench = Bench(broker, port, Path(folder), options.jobs)
        for mode in contest.MODES:
            with contest.pinned(mode, broker.pid, os.getpid()):
                bench.one_slot(options.rounds, f"no-op, {mode}")
        with contest.pinned(contest.ONE_CORE, broker.pid, os.getpid()):
            bench.signed(options.rounds, "no-op, one core")
        bench.first_jobs(options.rounds)
        bench.processes(max(1, options.rounds // 4))
        bench.waiting(max(1, options.rounds // 4))
        bench.idle(options.seconds)


class Count:
    """A no-op task that sets an event when all of its jobs have run."""

    def __init__(self) -> None:
        self.left = 0
        self.is_complete = threading.Event()

    def begin(self, jobs: int) -> None:
        """Expect a number of jobs."""
        self.left = jobs
        self.is_complete.clear()

    def no_op(self) -> None:
        """Do nothing but count."""
        self.left -= 1
        if not self.left:
            self.is_complete.set()


def stop() -> None:
    """End the loop on a bare socket."""


class Bench:
    """The measurements, on one broker."""

    def __init__(self, broker: Beanstalkd, port: int, folder: Path, jobs: int) -> None:
        self.broker = broker
        self.port = port
        self.folder = folder
        self.jobs = jobs
        self.queue = JobQueue(broker.url)
        copy_app("benchmark", folder)

    def put(self, tube: str, func_name: str, count: int) -> None:
        """Put jobs for a task of the workers' module."""

        def function() -> None: ...

        function.__name__ = func_name
        with JobQueue(self.broker.url) as queue:
            queue.task(tube)(function).put_many({} for _ in range(count))

    def one_slot(self, rounds: int, what: str) -> None:
        """Compare one slot in one process with a loop on a bare socket.

        Both are at work for a while already, and wait for jobs.
        """
        count = Count()
        contenders = {
            "worker, 1 x 1": self.queue.task("worker")(count.no_op),
            "bare socket": self.queue.task("bare")(count.no_op),
        }
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        worker = Worker(["worker"])
        slot = threading.Thread(target=worker.run)
        bare = threading.Thread(target=self.bare_loop, args=[count.no_op])
        slot.start()
        bare.start()
        for number in range(WARM_UP + rounds):
            for name, task in contenders.items():
                rate = rate_here(task.put_many, count, self.jobs)
                if number >= WARM_UP:
                    rates[name].append(rate)
        worker.stop()
        slot.join()
        self.queue.task("bare")(stop).put()
        bare.join()
        self.queue.close()
        show(what, rates)

    def signed(self, rounds: int, what: str) -> None:
        """Compare slots that take signed jobs only with one that takes any.

        One of them watches two tubes, and so has to ask which of them a job is in.
        """
        count = Count()
        signing = JobQueue(self.broker.url, secret="0123456789abcdef" * 4)
        signing.task("empty")(stop)
        contenders = {
            "signed jobs": signing.task("signed")(count.no_op),
            "signed jobs, two tubes": signing.task("one-of-two")(count.no_op),
            "any jobs": self.queue.task("any")(count.no_op),
        }
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        watched = (["signed"], ["one-of-two", "empty"], ["any"])
        workers = [Worker(tubes) for tubes in watched]
        slots = [threading.Thread(target=worker.run) for worker in workers]
        for slot in slots:
            slot.start()
        for number in range(WARM_UP + rounds):
            for name, task in contenders.items():
                rate = rate_here(task.put_many, count, self.jobs)
                if number >= WARM_UP:
                    rates[name].append(rate)
        for worker, slot in zip(workers, slots, strict=True):
            worker.stop()
            slot.join()
        for queue in (self.queue, signing):
            queue.close()
        for name in ("signed jobs", "signed jobs, two tubes"):
            show(what, {name: rates[name], "any jobs": rates["any jobs"]})

    def first_jobs(self, rounds: int) -> None:
        """Measure a new worker, which asks about each of its first jobs."""
        count = Count()
        task = self.queue.task("first")(count.no_op)
        rates = []
        for _ in range(rounds):
            count.begin(self.jobs)
            task.put_many({} for _ in range(self.jobs))
            started = time.perf_counter()
            Worker(["first"], burst=True).run()
            rates.append(self.jobs / (time.perf_counter() - started))
        self.queue.close()
        print(
            f"a new worker's first {self.jobs}: {statistics.median(rates):,.0f} jobs/s"
        )

    def bare_loop(self, no_op: Callable[[], object]) -> None:
        """Process jobs with as little code as the protocol needs."""
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            replies = sock.makefile("rb")
            sock.sendall(b"watch bare\r\nreserve\r\n")
            replies.readline()
            while True:
                _, job_id, size = replies.readline().split()
                job = json.loads(replies.read(int(size) + 2)[:-2])
                if job["func_name"] == "stop":
                    break
                no_op(**job["kwargs"])
                sock.sendall(b"delete %b\r\nreserve\r\n" % job_id)
                replies.readline()
            sock.sendall(b"delete %b\r\n" % job_id)
            replies.readline()
            replies.close()

    def processes(self, rounds: int) -> None:
        """Compare two processes with one, for jobs that compute, and for no-ops."""
        for tube, func_name, count, remark in (
            ("computes", "compute", self.jobs // 4, "2 ms of CPU"),
            ("noop", "noop", self.jobs * 5, "no-op; the broker has a core's work, too"),
        ):
            rates: dict[str, list[float]] = {"2 processes": [], "1 process": []}
            for _ in range(rounds):
                for number, name in ((2, "2 processes"), (1, "1 process")):
                    with self.worker(tube, number, "--processes", str(number)):
                        rate = self.rate(tube, func_name, count)
                    rates[name].append(rate)
            show(remark, rates)

    def waiting(self, rounds: int) -> None:
        """Measure slots whose jobs wait for 100 ms each."""
        for threads, func_name in ((10, "wait"), (200, "wait_async")):
            with self.worker("waits", threads, "--threads", str(threads)) as pid:
                count = threads * max(2, self.jobs // 100)
                before = cpu(pid)
                rates = [self.rate("waits", func_name, count) for _ in range(rounds)]
                used = (cpu(pid) - before) / count / rounds * 1e6
                peak = memory(pid)
            rate = statistics.median(rates)
            print(
                f"100 ms of waiting, {func_name}, {threads} slots: {rate:.1f} jobs/s "
                f"({rate / threads / 10:.0%} of the possible), {used:.0f} us of CPU a "
                f"job, {peak:.0f} MB at most"
            )

    def idle(self, seconds: float) -> None:
        """Measure the CPU time of an idle worker."""
        with self.worker("noop", 10, "--threads", "10") as pid:
            before = cpu(pid)
            time.sleep(seconds)
            used = cpu(pid) - before
        print(f"idle, 10 slots: {used:.2f} s of CPU in {seconds:g} s")

    def rate(self, tube: str, func_name: str, count: int) -> float:
        """Return the rate of workers that wait for the jobs, in jobs/s."""
        started = time.perf_counter()
        self.put(tube, func_name, count)
        with self.broker.client() as client:
            while (stats := client.stats_tube(tube))["current-jobs-ready"] or stats[
                "current-jobs-reserved"
            ]:
                time.sleep(0.005)
        return count / (time.perf_counter() - started)

    @contextmanager
    def worker(self, tube: str, slots: int, *arguments: str) -> Iterator[int]:
        """Start a worker, and yield its pid when all its slots wait for jobs."""
        worker = [sys.executable, "-m", "jobqueue.worker", "--import", "tasks"]
        with subprocess.Popen(
            [*worker, "--tube", tube, "--log-level", "warning", *arguments],
            cwd=self.folder,
            env=os.environ | {"BEANSTALKD_URL": self.broker.url},
        ) as process:
            eventually(lambda: self.broker.waiting(tube), slots)
            yield process.pid
            process.terminate()


def rate_here(
    put_many: Callable[[Items], object],
    count: Count,
    jobs: int,
    runs: int | None = None,
) -> float:
    """Return the rate of a worker in this process, in runs/s: one for each job."""
    count.begin(runs or jobs)
    put_many({} for _ in range(jobs))
    started, left = time.perf_counter(), max(1, count.left)
    count.is_complete.wait()
    return left / (time.perf_counter() - started)


def processes(pid: int) -> list[int]:
    """Return a worker's supervisor and the processes that it runs now."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *map(int, children.split())]


def memory(pid: int) -> float:
    """Return the peak memory of a worker, in megabytes: shared pages count twice."""
    peaks = [Path(f"/proc/{pid}/status").read_text() for pid in processes(pid)]
    return sum(int(peak.partition("VmHWM:")[2].split()[0]) for peak in peaks) / 1000


def cpu(pid: int) -> float:
    """Return the CPU time of a worker, in seconds."""
    stats = [Path(f"/proc/{pid}/stat").read_text() for pid in processes(pid)]
    fields = [stat.rpartition(")")[2].split() for stat in stats]
    ticks = sum(int(words[11]) + int(words[12]) for words in fields)
    return ticks / os.sysconf("SC_CLK_TCK")


def show(what: str, rates: dict[str, list[float]]) -> None:
    """Print two rates, and how the first relates to the second, round by round."""
    (name, first), (base, second) = rates.items()
    for label, found in rates.items():
        print(f"{what}, {label}: {statistics.median(found):,.0f} jobs/s")
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    print(
        f"{name} / {base}: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
