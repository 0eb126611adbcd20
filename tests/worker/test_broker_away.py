"""Workers and a broker that is gone, is no beanstalkd, or can't be found."""

import signal
import socket
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_process import WorkerProcess, write_module

TASKS = """
import pathlib, signal, time
from jobqueue import JobQueue

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
queue = JobQueue()

@queue.task("t")
def waits(path):
    print("begins", flush=True)
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
"""


def test_sigpipe(socket_folder: Path, tmp_path: Path) -> None:
    """The end of a broker ends no worker, whatever SIGPIPE does there."""
    write_module(tmp_path, "tasks", TASKS)
    path = tmp_path / "over"
    body = f'{{"func_name":"waits","tube":"t","kwargs":{{"path":"{path}"}}}}'.encode()
    broker = Beanstalkd(socket_folder / "b")
    with broker:
        broker.put(body)
        with WorkerProcess(
            tmp_path, "--import", "tasks", BEANSTALKD_URL=broker.url
        ) as worker:
            worker.says("begins")
            broker.kill()
            path.touch()
            worker.says("Waiting for the broker")  # it could not settle the job
            broker.start()
            broker.put(body)
            eventually(lambda: worker.log.count("begins"), 2)
            eventually(lambda: broker.counts("t"), {})
            worker.signal(signal.SIGTERM)
            assert worker.exit_code() == 0
    assert "has exited" not in worker.log
    assert "killed" not in worker.log


@pytest.mark.parametrize("kind", ["name", "server", "silence"])
def test_reason(tmp_path: Path, kind: str) -> None:
    """The log says at once why a worker waits, and what to look at."""
    write_module(tmp_path, "tasks", TASKS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        url, reason = {
            "name": ("beanstalkd://no.such.name.invalid", "its host name|no such host"),
            "server": (f"beanstalkd://127.0.0.1:{port}", "as an HTTP server does"),
            "silence": (f"beanstalkd://127.0.0.1:{port}?timeout=0.1", "open files"),
        }[kind]
        with WorkerProcess(tmp_path, "--import", "tasks", BEANSTALKD_URL=url) as worker:
            if kind == "server":
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            worker.says("WARNING Waiting for the broker")
            eventually_true(lambda: any(r in worker.log for r in reason.split("|")))
    assert worker.log.count("Waiting for the broker") == 1
