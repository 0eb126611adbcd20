"""Notes of failures in a storm: how many there are, which, and in how much memory.

    python tests/benchmarks/failure_storm.py [--burials N] [--retries N] [--slots N]

Each job is retried, and then buried: 5,000 burials and 100,000 retries of one tube, if
nothing else is asked for. The storm comes twice, each time over a beanstalkd of its
own: with notes and without. Prints how many notes there were at the most and at the
end, whether those of the burials are the newest, and the memory of beanstalkd. Ends
with status 1 if a bound or the order does not hold.
"""

import argparse
import logging
import re
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from jobqueue import JobQueue, Worker

sys.path.insert(0, str(Path(__file__).parents[2]))
from jobqueue.job.note_tubes import failures_tube, retries_tube
from tests.helpers.notes import burials, retries
from tests.helpers.servers import REAL, Beanstalkd, free_port

TUBE = "storm"
KEPT = 1_000
PAUSE = 0.05  # seconds between two looks at the broker


class Storm(NamedTuple):
    """What a storm has left in a broker."""

    most_burials: int  # noted at any moment
    most_retries: int
    burials: int  # noted at the end
    retries: int
    are_newest: bool  # the notes of the burials
    memory: int  # bytes of the broker, at the end
    seconds: float


def main() -> None:
    """Run both storms, and print what they left."""
    parser = argparse.ArgumentParser(description="What are notes like in a storm?")
    parser.add_argument("--burials", type=int, default=5_000)
    parser.add_argument("--retries", type=int, default=20, help="of each job")
    parser.add_argument("--slots", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    asked = (options.burials, options.retries, options.slots)
    with Beanstalkd(free_port(), program=REAL) as broker:
        noted = run(broker, KEPT, *asked)
    with Beanstalkd(free_port(), program=REAL) as broker:
        silent = run(broker, 0, *asked)
    show(noted, silent, options.burials, options.burials * options.retries)
    holds = noted.are_newest and max(noted.burials, noted.retries) <= KEPT
    sys.exit(0 if holds else 1)


def run(
    broker: Beanstalkd, kept: int, jobs: int, retries_each: int, slots: int = 1
) -> Storm:
    """Have jobs fail until all are buried, and return what that left."""
    failed: list[int] = []
    with JobQueue(broker.url) as queue:

        @queue.on_buried
        def note(job: object, _error: BaseException) -> None:
            failed.append(getattr(job, "id", 0))

        @queue.task(TUBE, retries=retries_each, backoff=0)
        def fail(n: int) -> None:
            raise ValueError(f"no {n}")

        began = time.monotonic()
        fail.put_many({"n": n} for n in range(jobs))
        worker = Worker(
            [TUBE], url=broker.url, threads=slots, failures_kept=kept, burst=True
        )
        slot = threading.Thread(target=worker.run)
        slot.start()
        most = watched(broker, slot)
        seconds = time.monotonic() - began
    noted = [found.job_id for found in burials(broker, TUBE)]
    return Storm(
        *most,
        burials=len(noted),
        retries=len(retries(broker, TUBE)),
        are_newest=are_newest(noted, failed, kept, slots),
        memory=memory_of(broker.pid),
        seconds=seconds,
    )


def watched(broker: Beanstalkd, storm: threading.Thread) -> tuple[int, int]:
    """Return how many notes of burials and retries there are at the most."""
    most = (0, 0)
    while storm.is_alive():
        storm.join(PAUSE)
        found = (
            sum(broker.counts(tube(TUBE)).values())
            for tube in (failures_tube, retries_tube)
        )
        first, second = map(max, most, found)
        most = first, second
    return most


def are_newest(noted: list[int], failed: list[int], kept: int, slots: int) -> bool:
    """Return whether the notes are those of the last burials, but for slots at once."""
    last = failed[-kept - slots + 1 :]
    return len(set(noted)) == len(noted) and set(noted) <= set(last)


def memory_of(pid: int) -> int:
    """Return the memory of a process in bytes; 0 where the system has no /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    (kib,) = re.findall(r"VmRSS:\s+(\d+) kB", status.read_text())
    return int(kib) * 1024


def show(noted: Storm, silent: Storm, buried: int, retried: int) -> None:
    """Print what both storms left."""
    print(f"{buried:,} burials and {retried:,} retries of one tube")
    print(f"notes of burials: {noted.burials:,}; at the most {noted.most_burials:,}")
    print(f"notes of retries: {noted.retries:,}; at the most {noted.most_retries:,}")
    newest = "are" if noted.are_newest else "are NOT"
    print(f"the notes of burials {newest} the newest {KEPT:,}")
    more = noted.memory - silent.memory
    for name, storm in (("with notes", noted), ("without notes", silent)):
        print(f"{name:14} {storm.memory / 2**20:6.1f} MiB, {storm.seconds:5.1f} s")
    print(f"{'the notes':14} {more / 2**20:6.1f} MiB of beanstalkd's memory")


if __name__ == "__main__":
    main()
