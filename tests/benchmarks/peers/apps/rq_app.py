"""The tasks in RQ."""

import time
from functools import cache

from redis import Redis
from rq import Queue

from tests.benchmarks.peers.apps import shared


@cache
def queue() -> Queue:
    """Return the queue, made at the first put: a worker imports this for each job."""
    return Queue(connection=Redis.from_url(shared.broker_url()))


def noop(arg1: str, arg2: str, arg3: str) -> None:
    """Do nothing but tell that it was done."""
    shared.write_byte()


def wait() -> None:
    """Wait as for a reply over the network."""
    time.sleep(shared.WAIT)
    shared.write_byte()


def stamp(sent: int) -> None:
    """Tell how long ago it was put."""
    shared.write_latency(sent)


def put(task: str, count: int) -> None:
    """Put jobs one by one."""
    for _ in range(count):
        if task == "noop":
            queue().enqueue(noop, arg1="a", arg2="b", arg3="c", result_ttl=0)
        else:
            queue().enqueue(wait, result_ttl=0)


def put_many(count: int) -> None:
    """Put no-op jobs with `enqueue_many`, which pipelines."""
    for size in shared.batches(count):
        queue().enqueue_many(
            Queue.prepare_data(noop, kwargs=dict(shared.ARGUMENTS), result_ttl=0)
            for _ in range(size)
        )


def put_stamps(pace: float, count: int) -> None:
    """Put jobs that tell how long they took to start."""
    for pause in shared.ticks(pace, count):
        time.sleep(pause)
        queue().enqueue(stamp, sent=time.monotonic_ns(), result_ttl=0)
