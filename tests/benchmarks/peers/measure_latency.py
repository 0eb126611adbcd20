"""How long it takes from a put to the start of the function, on an idle machine."""

import struct

from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.contenders import Contender
from tests.benchmarks.peers.stage import wait_until

WARM_UP = 50
PATIENCE = 5  # seconds, after the last put
SIZE = struct.calcsize("<q")


def measure(bench: Bench, contender: Contender) -> None:
    """Measure one worker, with a producer that keeps a steady pace."""
    pace, count = bench.settings.pace, bench.settings.latencies
    expected = (WARM_UP + count) * SIZE
    with (
        bench.stage(contender) as stage,
        stage.producer() as producer,
        stage.workers(1),
    ):
        producer.put_stamps(pace, 1)
        wait_until(lambda: stage.written() > 0, bench.settings.drain_deadline)
        producer.put_stamps(pace, WARM_UP - 1 + count)
        keeps_up = wait_until(lambda: stage.written() >= expected, PATIENCE)
        written = stage.file.read_bytes()
    found = sorted(milliseconds(written)[WARM_UP:])
    for name, part in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        bench.book.add(name, contender.name, percentile(found, part))
        if not keeps_up:
            note = f"does not keep up with {pace:g} jobs/s"
            bench.book.remark(name, contender.name, note)


def milliseconds(written: bytes) -> list[float]:
    """Return the latencies, in the order in which the jobs started."""
    return [nanoseconds / 1e6 for (nanoseconds,) in struct.iter_unpack("<q", written)]


def percentile(ordered: list[float], part: float) -> float:
    """Return the smallest value that a share of all values does not exceed."""
    return ordered[max(0, -int(-len(ordered) * part // 1) - 1)]
