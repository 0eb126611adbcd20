"""The tasks in Dramatiq."""

import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from tests.benchmarks.peers.apps import shared

dramatiq.set_broker(RedisBroker(url=shared.broker_url()))


@dramatiq.actor
def noop(arg1: str, arg2: str, arg3: str) -> None:
    """Do nothing but tell that it was done."""
    shared.write_byte()


@dramatiq.actor
def wait() -> None:
    """Wait as for a reply over the network."""
    time.sleep(shared.WAIT)
    shared.write_byte()


@dramatiq.actor
def stamp(sent: int) -> None:
    """Tell how long ago it was put."""
    shared.write_latency(sent)


def put(task: str, count: int) -> None:
    """Put jobs one by one."""
    for _ in range(count):
        if task == "noop":
            noop.send(arg1="a", arg2="b", arg3="c")
        else:
            wait.send()


def put_many(count: int) -> None:
    """Put no-op jobs as a group, which sends them one by one."""
    for size in shared.batches(count):
        dramatiq.group(noop.message(**shared.ARGUMENTS) for _ in range(size)).run()


def put_stamps(pace: float, count: int) -> None:
    """Put jobs that tell how long they took to start."""
    for pause in shared.ticks(pace, count):
        time.sleep(pause)
        stamp.send(sent=time.monotonic_ns())
