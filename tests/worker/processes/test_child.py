"""What ties a supervisor and its child together."""

import os
import subprocess
import sys

from jobqueue.worker.processes.child import ParentLink
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import handling_child_exits
from jobqueue.worker.processes.status_board import size_of_status_board
from tests.helpers.servers import eventually_true


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
