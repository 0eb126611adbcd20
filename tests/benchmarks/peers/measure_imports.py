"""How long an import takes: a whole interpreter, less one that imports nothing."""

import statistics
import subprocess
import time
from pathlib import Path

from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.contenders import Contender
from tests.benchmarks.peers.measures import FLOOR

MILLI = 1e3


def measure(bench: Bench, contenders: list[Contender]) -> None:
    """Run interpreters in turns."""
    codes = {("bare", ""): "pass", ("floor_import", FLOOR): "import greenstalk"}
    for contender in contenders:
        codes["import", contender.name] = contender.imports
        codes["make", contender.name] = f"{contender.imports}\n{contender.make}"
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in codes}
    for _ in range(bench.settings.imports + 1):
        for key, code in codes.items():
            seconds[key].append(_run(bench.python, code, bench.folder))
    # The first of each may have had to read the disk, and to write byte code.
    medians = {key: statistics.median(found[1:]) for key, found in seconds.items()}
    bare = medians.pop(("bare", ""))
    for (measure, library), median in medians.items():
        bench.book.add(measure, library, (median - bare) * MILLI)


def _run(python: Path, code: str, folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([python, "-c", code], cwd=folder, check=True)
    return time.perf_counter() - started
