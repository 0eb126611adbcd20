"""The pipe between a supervisor and its child."""

import os
import queue

import pytest

from jobqueue.worker.processes.child import PARENT_IS_GONE, ParentWatch
from tests.helpers.servers import DEADLINE


@pytest.mark.parametrize("reason", ["SIGTERM", ""])
def test_parent_watch(reason: str) -> None:
    """The watch reads once: by then the descriptor may be that of another file."""
    reading, writing = os.pipe()
    reasons: queue.Queue[str] = queue.Queue()
    ParentWatch(reading, reasons.put)

    if reason:
        os.write(writing, reason.encode())
        assert reasons.get(timeout=DEADLINE) == reason
        os.close(writing)
    else:
        os.close(writing)
        assert reasons.get(timeout=DEADLINE) == PARENT_IS_GONE
    os.close(reading)
