"""The tasks in jobqueue."""

import time

from jobqueue import JobQueue
from tests.benchmarks.peers.apps import shared

queue = JobQueue(shared.broker_url())


@queue.task("bench")
def noop(arg1: str, arg2: str, arg3: str) -> None:
    """Do nothing but tell that it was done."""
    shared.write_byte()


@queue.task("bench")
def wait() -> None:
    """Wait as for a reply over the network."""
    time.sleep(shared.WAIT)
    shared.write_byte()


@queue.task("bench")
def stamp(sent: int) -> None:
    """Tell how long ago it was put."""
    shared.write_latency(sent)


def put(task: str, count: int) -> None:
    """Put jobs one by one."""
    for _ in range(count):
        if task == "noop":
            noop.put(arg1="a", arg2="b", arg3="c")
        else:
            wait.put()


def put_many(count: int) -> None:
    """Put no-op jobs in bulk: `put_many` sends hundreds in a write."""
    noop.put_many(shared.ARGUMENTS for _ in range(count))


def put_stamps(pace: float, count: int) -> None:
    """Put jobs that tell how long they took to start."""
    for pause in shared.ticks(pace, count):
        time.sleep(pause)
        stamp.put(sent=time.monotonic_ns())
