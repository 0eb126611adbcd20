"""A worker in a thread of the test's process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jobqueue import Worker
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.manager import SlotManager
from jobqueue.worker.slots.slot_thread import THREAD_NAME


def with_timings(worker: Worker, **timings: Any) -> Worker:
    """Return the worker, with other pauses and patience than a worker usually has."""
    settings = worker.settings._replace(timings=Timings(**timings))
    worker.manager = SlotManager(settings)
    return worker


def slot_threads() -> int:
    """Return how many slots of this process have a thread."""
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


@contextmanager
def working(worker: Worker) -> Iterator[None]:
    """Run a worker in a thread for the time of the block, and then stop it."""
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(10)
        assert not thread.is_alive()
