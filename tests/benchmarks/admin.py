"""How long the operator's commands take on many jobs.

    python tests/benchmarks/admin.py [--jobs N]

Starts a beanstalkd of its own, and runs the commands as an operator does, each in a
process of its own, with its output in a file. Prints seconds, which depend on the
machine: as a measure beside them, the protocol's own floor is the time that a bare
socket takes for as many stats-job commands, which is what finding the jobs costs.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.helpers.servers import REAL, Beanstalkd, free_port
from tests.helpers.terminal import put, put_buried

BATCH = 500


def main() -> None:
    """Measure, and print seconds."""
    parser = argparse.ArgumentParser(description="How long do commands take?")
    parser.add_argument("--jobs", type=int, default=100_000)
    options = parser.parse_args()
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        Beanstalkd(port, program=REAL) as broker,
    ):
        Bench(broker, port, Path(folder), options.jobs).run()


class Bench:
    """Runs commands on tubes with a number of jobs each."""

    def __init__(self, broker: Beanstalkd, port: int, folder: Path, jobs: int) -> None:
        self._broker = broker
        self._port = port
        self._folder = folder
        self._jobs = jobs

    def run(self) -> None:
        """Run each command, in an order in which there is something to do."""
        print(f"seconds for {self._jobs:,} jobs")
        self.measure("the start alone (--version)", "--version")
        put(self._broker, self._jobs, "ready")
        put_buried(self._broker, self._jobs, "buried")
        self.timed("a bare socket: stats-job", self.ask_about_each)
        self.measure("list", "list", "ready")
        self.measure("list --json", "list", "ready", "--json")
        self.measure("export", "export", "ready", output="jobs.jsonl")
        self.measure("clear, ready", "clear", "ready", "--state", "ready", "--yes")
        self.measure("import", "import", "jobs.jsonl")
        self.measure("clear, buried", "clear", "buried", "--state", "buried", "--yes")
        put_buried(self._broker, self._jobs, "buried")
        self.measure("kick --all", "kick", "buried", "--all")
        some = self._jobs // 10
        put_buried(self._broker, some, "some")
        self.measure(f"kick --count {some:,}", "kick", "some", "--count", str(some))

    def measure(self, name: str, *command: str, output: str = "output") -> None:
        """Run a command and print how long it took."""

        def run() -> None:
            with (self._folder / output).open("wb") as file:
                subprocess.run(
                    [sys.executable, "-m", "jobqueue", *command],
                    cwd=self._folder,
                    env=os.environ | {"BEANSTALKD_URL": self._broker.url},
                    stdout=file,
                    stderr=subprocess.DEVNULL,
                    check=True,
                )

        self.timed(name, run)

    def timed(self, name: str, run: Callable[[], None]) -> None:
        """Print how long a step took."""
        started = time.perf_counter()
        run()
        print(f"{name:28} {time.perf_counter() - started:6.2f}", flush=True)

    def ask_about_each(self) -> None:
        """Ask for the statistics of every job, many in a write."""
        with socket.create_connection(("127.0.0.1", self._port)) as sock:
            replies = sock.makefile("rb")
            for start in range(1, self._jobs + 1, BATCH):
                ids = range(start, min(start + BATCH, self._jobs + 1))
                sock.sendall(b"".join(b"stats-job %d\r\n" % n for n in ids))
                for _ in ids:
                    replies.read(int(replies.readline().split()[1]) + 2)
            replies.close()


if __name__ == "__main__":
    main()
