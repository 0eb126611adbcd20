"""Workers whose tasks come with a monkey patch of gevent's."""

import signal
from pathlib import Path

import pytest

from jobqueue.worker import patched
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import WorkerProcess, write_module

pytest.importorskip("gevent")

PATCH = "from gevent import monkey\nmonkey.patch_all()\n"
TASKS = """
import asyncio, time
from jobqueue import JobQueue, current_job

queue = JobQueue()

@queue.task("t")
def work(n):
    current_job().touch()
    time.sleep(0.01)
    print("ran", n, flush=True)

@queue.task("t", time_limit=60)
async def awaits(n):
    await asyncio.sleep(0.01)
    print("ran", n, flush=True)
"""
WARNING = "gevent has replaced the threads of this process by greenlets"


def put(broker: Beanstalkd, func_name: str, number: int) -> None:
    body = f'{{"func_name":"{func_name}","tube":"t","kwargs":{{"n":{number}}}}}'
    broker.put(body.encode())


@pytest.mark.parametrize(
    ("place", "processes"), [("tasks", 1), ("library", 2), ("sitecustomize", 2)]
)
def test_patch(broker: Beanstalkd, tmp_path: Path, place: str, processes: int) -> None:
    """Jobs run wherever the patch is applied."""
    sources = {"library": "", "tasks": "import library\n" + TASKS, "sitecustomize": ""}
    sources[place] = PATCH + sources[place]
    for module, source in sources.items():
        write_module(tmp_path, module, source)
    for number in range(6):
        put(broker, "awaits" if number % 2 else "work", number)

    options = ["--import", "tasks", "--threads", "3", "--processes", str(processes)]
    with WorkerProcess(
        tmp_path, *options, BEANSTALKD_URL=broker.url, PYTHONPATH=str(tmp_path)
    ) as worker:
        eventually(lambda: worker.log.count("ran "), 6)
        eventually(lambda: broker.counts("t"), {})
        eventually(lambda: worker.log.count(WARNING), processes)
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0
        assert worker.log.count("Worker stopped") == processes
        assert "Waiting for the broker" not in worker.log


def test_broker_restarts(socket_folder: Path, tmp_path: Path) -> None:
    """A worker of greenlets finds a broker again that was away."""
    write_module(tmp_path, "tasks", PATCH + TASKS)
    broker = Beanstalkd(socket_folder / "b")
    with (
        broker,
        WorkerProcess(
            tmp_path, "--import", "tasks", BEANSTALKD_URL=broker.url
        ) as worker,
    ):
        eventually(lambda: broker.waiting("t"), 1)
        broker.kill()
        worker.says("WARNING Waiting for the broker")
        broker.start()
        put(broker, "work", 1)
        worker.says("ran 1")


@pytest.mark.parametrize("where", ["task", "command line"])
def test_time_limit(broker: Beanstalkd, tmp_path: Path, where: str) -> None:
    """A limit that can't be kept is refused at once."""
    limited = TASKS.replace('@queue.task("t")', '@queue.task("t", time_limit=60)')
    write_module(tmp_path, "tasks", PATCH + (limited if where == "task" else TASKS))
    options = [] if where == "task" else ["--time-limit", "60"]

    with WorkerProcess(
        tmp_path, "--import", "tasks", *options, BEANSTALKD_URL=broker.url
    ) as worker:
        assert worker.exit_code() == 2
    assert "the time limit of work can't be kept, as gevent has replaced" in worker.log


def test_real_threads() -> None:
    assert patched.has_real_threads()
