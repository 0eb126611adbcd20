"""The floors that the protocol sets."""

import json
import subprocess

from tests.benchmarks.peers import servers
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.measures import FLOOR
from tests.benchmarks.peers.stage import ROOT

MODULE = "tests.benchmarks.peers.floors"


def measure(bench: Bench) -> None:
    """Measure each floor once, on a server of their own."""
    operations = str(bench.settings.floor_operations)
    with servers.server("beanstalkd", bench.folder) as port:
        told = subprocess.run(
            [bench.python, "-m", MODULE, f"127.0.0.1:{port}", operations],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    for name, rate in json.loads(told.stdout).items():
        bench.book.add(name, FLOOR, rate)
