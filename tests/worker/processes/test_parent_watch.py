"""What a child does when its supervisor says stop, or is gone."""

import os
import queue
from collections.abc import Iterator

import pytest

from jobqueue.worker.processes.parent_watch import PARENT_IS_GONE, ParentWatch
from tests.helpers.servers import DEADLINE


class Pipe:
    """The pipe of a child, what its watch was to call, and what it has called."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.first: queue.Queue[str] = queue.Queue()
        self.second: queue.Queue[str] = queue.Queue()
        self.watch = ParentWatch(self.reading, self.first.put)

    def stop(self, reason: str) -> None:
        os.write(self.writing, reason.encode())
        os.close(self.writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.reading)


def test_read_once(pipe: Pipe) -> None:
    """By a second time the descriptor may be that of another file."""
    os.write(pipe.writing, b"SIGTERM")

    assert pipe.first.get(timeout=DEADLINE) == "SIGTERM"
    os.close(pipe.writing)


def test_supervisor_is_gone(pipe: Pipe) -> None:
    pipe.stop("")

    assert pipe.first.get(timeout=DEADLINE) == PARENT_IS_GONE


def test_stop_before_it_is_passed_on(pipe: Pipe) -> None:
    """Nothing must begin then: the process may be about to end."""
    pipe.stop("SIGTERM")
    assert pipe.first.get(timeout=DEADLINE) == "SIGTERM"

    assert not pipe.watch.pass_on_to(pipe.second.put)


def test_stop_after_it_was_passed_on(pipe: Pipe) -> None:
    assert pipe.watch.pass_on_to(pipe.second.put)
    pipe.stop("")

    assert pipe.second.get(timeout=DEADLINE) == PARENT_IS_GONE
    assert pipe.first.empty()
