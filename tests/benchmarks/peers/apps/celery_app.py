"""The tasks in Celery."""

import time

from celery import Celery, group

from tests.benchmarks.peers.apps import shared

app = Celery("bench", broker=shared.broker_url())
app.conf.task_ignore_result = True


@app.task
def noop(arg1: str, arg2: str, arg3: str) -> None:
    """Do nothing but tell that it was done."""
    shared.write_byte()


@app.task
def wait() -> None:
    """Wait as for a reply over the network."""
    time.sleep(shared.WAIT)
    shared.write_byte()


@app.task
def stamp(sent: int) -> None:
    """Tell how long ago it was put."""
    shared.write_latency(sent)


def put(task: str, count: int) -> None:
    """Put jobs one by one."""
    for _ in range(count):
        if task == "noop":
            noop.delay(arg1="a", arg2="b", arg3="c")
        else:
            wait.delay()


def put_many(count: int) -> None:
    """Put no-op jobs as a group, which sends them one by one."""
    for size in shared.batches(count):
        group(noop.s(**shared.ARGUMENTS) for _ in range(size)).apply_async()


def put_stamps(pace: float, count: int) -> None:
    """Put jobs that tell how long they took to start."""
    for pause in shared.ticks(pace, count):
        time.sleep(pause)
        stamp.delay(sent=time.monotonic_ns())
