"""What a child does when its supervisor says stop, or is gone."""

import os
import queue

import pytest

from jobqueue.worker.processes.parent_watch import PARENT_IS_GONE, ParentWatch
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


def test_stop_before_it_is_passed_on() -> None:
    """Nothing must begin then: the process may be about to end."""
    reading, writing = os.pipe()
    first: queue.Queue[str] = queue.Queue()
    second: queue.Queue[str] = queue.Queue()
    watch = ParentWatch(reading, first.put)
    os.write(writing, b"SIGTERM")
    os.close(writing)
    assert first.get(timeout=DEADLINE) == "SIGTERM"

    assert not watch.pass_on_to(second.put)
    os.close(reading)


def test_stop_after_it_was_passed_on() -> None:
    reading, writing = os.pipe()
    first: queue.Queue[str] = queue.Queue()
    second: queue.Queue[str] = queue.Queue()
    watch = ParentWatch(reading, first.put)

    assert watch.pass_on_to(second.put)
    os.close(writing)
    assert second.get(timeout=DEADLINE) == PARENT_IS_GONE
    assert first.empty()
    os.close(reading)
