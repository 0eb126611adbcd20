"""The tasks in Huey."""

import time

from huey import RedisHuey

from tests.benchmarks.peers.apps import shared

huey = RedisHuey("bench", url=shared.broker_url(), results=False)


@huey.task()
def noop(arg1: str, arg2: str, arg3: str) -> None:
    """Do nothing but tell that it was done."""
    shared.write_byte()


@huey.task()
def wait() -> None:
    """Wait as for a reply over the network."""
    time.sleep(shared.WAIT)
    shared.write_byte()


@huey.task()
def stamp(sent: int) -> None:
    """Tell how long ago it was put."""
    shared.write_latency(sent)


def put(task: str, count: int) -> None:
    """Put jobs one by one; there is no other way."""
    for _ in range(count):
        if task == "noop":
            noop(arg1="a", arg2="b", arg3="c")
        else:
            wait()


def put_stamps(pace: float, count: int) -> None:
    """Put jobs that tell how long they took to start."""
    for pause in shared.ticks(pace, count):
        time.sleep(pause)
        stamp(sent=time.monotonic_ns())
