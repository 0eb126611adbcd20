"""A worker in a thread of the test's process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jobqueue import Worker


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
