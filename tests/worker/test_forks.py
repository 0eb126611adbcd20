"""Tasks that fork: the child is no worker, and holds no job."""

import os
import signal
import threading
from pathlib import Path

import pytest

from jobqueue import (
    JobQueue,
    Worker,
)
from jobqueue.worker import forks
from tests.helpers.servers import Beanstalkd, eventually


def test_forked_child_holds_no_job(
    broker: Beanstalkd, queue: JobQueue, tmp_path: Path
) -> None:
    """The connection ends with the worker, however long the child lives."""
    pid = tmp_path / "pid"

    @queue.task("t")
    def fork() -> None:
        child = os.fork()
        if not child:
            threading.Event().wait(60)
            os._exit(0)
        pid.write_text(str(child))

    broker.put(b'{"func_name":"fork","tube":"t","kwargs":{}}')
    try:
        Worker(burst=True).run()
        eventually(broker.connections, 0)
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)
        os.waitpid(int(pid.read_text()), 0)


def test_fork_callbacks_are_removed(
    queue: JobQueue,
) -> None:
    @queue.task("t")
    def work() -> None: ...

    before = forks._callbacks().copy()
    Worker(threads=2, burst=True).run()

    assert forks._callbacks() == before


@pytest.mark.parametrize("name", ["fork", "async_fork"])
def test_forked_child_is_no_worker(
    broker: Beanstalkd, queue: JobQueue, tmp_path: Path, name: str
) -> None:
    @queue.task("t")
    def fork() -> None:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            (tmp_path / "parent").write_text(str(os.getpid()))

    @queue.task("t")
    async def async_fork() -> None:
        fork()

    task = {"fork": fork, "async_fork": async_fork}[name]
    task.put()
    task.put()
    Worker(burst=True).run()

    assert (tmp_path / "parent").read_text() == str(os.getpid())
    assert broker.counts("t") == {}
