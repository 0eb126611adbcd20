"""What ties a supervisor and its child together."""

import os
import queue
import subprocess
import sys

import pytest

from jobqueue.worker.processes.child import PARENT_IS_GONE, ParentLink, ParentWatch
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import handling_child_exits
from jobqueue.worker.processes.status_board import size_of_status_board
from tests.helpers.servers import DEADLINE, eventually_true


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


def test_pipe_is_not_inherited() -> None:
    """A program that a task starts does not get the pipe of a spawned process."""
    status = SharedMemory(size_of_status_board(1))
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)

    link = ParentLink.of_spawned(status.handle, None, reading, 1)

    assert not os.get_inheritable(link.pipe)
    os.close(reading)
    os.close(writing)


def test_wake_supervisor() -> None:
    """A supervisor learns at once that a process leaves, though it has not ended."""
    script = (
        "import time\n"
        "from jobqueue.worker.processes.child import ParentLink\n"
        "ParentLink.wake_supervisor()\n"
        "time.sleep(600)\n"
    )
    woken: list[bool] = []

    with (
        handling_child_exits(lambda: woken.append(True)),
        subprocess.Popen([sys.executable, "-c", script]) as child,
    ):
        eventually_true(lambda: woken)
        assert child.poll() is None
        child.kill()
