"""The main job: decorated functions, puts, and workers in other processes."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, eventually, eventually_true, free_port
from tests.helpers.worker_process import WorkerProcess, copy_app


@pytest.fixture
def app(tmp_path: Path) -> Path:
    copy_app("main_job", tmp_path / "app")
    return tmp_path


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_put_and_run(app: Path, broker: Beanstalkd) -> None:
    """A job that one process puts runs in another."""
    put = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c"),
            "import app.tasks; print(app.tasks.task_one.put('a', arg2='b', arg3='c'))",
        ],
        cwd=app,
        env=os.environ | {"BEANSTALKD_URL": broker.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (put.stdout, put.stderr) == ("1\n", "")
    with broker.client("task_tube_one") as client:
        body = client.peek(1).body
    assert json.loads(body) == {
        "func_name": "task_one",
        "tube": "task_tube_one",
        "kwargs": {"arg1": "a", "arg2": "b", "arg3": "c"},
    }

    arguments = ("--tube", "task_tube_one", "--import", "app.tasks")
    with WorkerProcess(app, *arguments, BEANSTALKD_URL=broker.url) as worker:
        worker.says("Job 1 done: task_one (tube task_tube_one) in ")

    assert lines(app / "ran") == ["a b c"]
    assert broker.counts("task_tube_one") == {}


def test_job_by_hand(app: Path) -> None:
    """A job that is written to a socket by hand runs."""
    body = (
        b'{ "kwargs": {"arg1": 1, "arg2": "\\u00e4", "arg3": [null]},\n'
        b'  "tube": "task_tube_one", "func_name": "task_one" }'
    )
    port = free_port()
    with (
        Beanstalkd(port) as broker,
        WorkerProcess(app, "--import", "app.tasks", "--url", broker.url) as worker,
        socket.create_connection(("127.0.0.1", port)) as by_hand,
    ):
        by_hand.sendall(
            b"use task_tube_one\r\nput 0 0 60 %d\r\n%b\r\n" % (len(body), body)
        )
        worker.says("Job 1 done: task_one")

    assert lines(app / "ran") == ["1 ä [None]"]


def garbage(chance: random.Random, number: int) -> bytes:
    def body(**replaced: object) -> bytes:
        good: dict[str, object] = {
            "func_name": "task_two",
            "tube": "task_tube_two",
            "kwargs": {"n": -number},
        }
        return json.dumps(good | replaced).encode()

    kinds = [
        chance.randbytes(chance.randrange(200)),
        b"\xff\xfe" + body(),
        b'{"func_name":"task_two","tube":"task_tube_two","kwargs":{"n":%b}}'
        % (b"9" * 5000),
        b"[" * 30000,
        b'{"a":' * 10000,
        b"[" * 30000 + b"]" * 30000,
        body()[:-1],
        body(func_name=None),
        body(func_name=["task_two"]),
        body(func_name="os.system"),
        body(func_name="task_one"),
        body(tube="task_tube_one"),
        body(tube=7),
        body(kwargs=[1]),
        body(kwargs={}),
        body(kwargs={"n": 1, "m": 2}),
        body(extra=1),
        json.dumps(chance.random()).encode(),
        b"",
        b"delete 1\r\nquit\r\n",
    ]
    return kinds[number % len(kinds)]


def test_garbage_is_buried(app: Path, broker: Beanstalkd) -> None:
    """Good jobs between the garbage run."""
    chance = random.Random(11300)
    with broker.client("task_tube_two") as client:
        for number in range(1000):
            client.put(garbage(chance, number))
            good = {"func_name": "task_two", "tube": "task_tube_two"}
            client.put(json.dumps(good | {"kwargs": {"n": number}}).encode())

    arguments = ("--tube", "task_tube_two", "--import", "app.tasks", "--url")
    with WorkerProcess(app, *arguments, broker.url) as worker:
        eventually(lambda: broker.counts("task_tube_two"), {"buried": 1000})
        assert worker.process.poll() is None
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0

    assert lines(app / "two") == [str(number) for number in range(1000)]
    assert worker.log.count("Job ") == 2000


def test_killed_broker(app: Path) -> None:
    """The server is killed and started thrice under a worker and a producer."""
    producer = """
import time
from app.tasks import task_two
from jobqueue import BrokerError
n = 0
while True:
    try:
        task_two.put(n)
        n += 1
    except BrokerError:
        pass
    time.sleep(0.005)
"""
    broker = Beanstalkd(free_port())
    arguments = ("--import", "app.tasks", "--url", broker.url)
    with broker, WorkerProcess(app, *arguments) as worker:
        producing = subprocess.Popen(
            [sys.executable, "-c", producer],
            cwd=app,
            env=os.environ | {"BEANSTALKD_URL": broker.url},
        )
        try:
            for outage in range(1, 4):
                before = len(lines(app / "two"))
                eventually_true(lambda: len(lines(app / "two")) > before)  # noqa: B023
                broker.kill()
                eventually(lambda: worker.log.count("Waiting for the broker"), outage)
                before = len(lines(app / "two"))
                broker.start()
                restarted = time.monotonic()
                eventually_true(lambda: len(lines(app / "two")) > before)  # noqa: B023
                assert time.monotonic() - restarted < 15, "a few seconds at most"
                assert worker.log.count("Connected to the broker at") == outage
        finally:
            producing.kill()
            producing.wait()
        assert producing.returncode == -signal.SIGKILL

        eventually(lambda: broker.waiting("task_tube_one"), 1)
        eventually(lambda: broker.waiting("task_tube_two"), 1)
        with broker.client() as client:
            # The default tube is watched by this very client, and by nobody else.
            assert client.stats_tube("default")["current-watching"] == 1


def test_broker_absent_at_start(app: Path) -> None:
    """The worker waits for it."""
    broker = Beanstalkd(free_port())
    with WorkerProcess(app, "--import", "app.tasks", "--url", broker.url) as worker:
        worker.says(
            f"WARNING Waiting for the broker: beanstalkd at {broker.url} "
            "can't be reached (Connection refused)"
        )
        with broker:
            worker.says(f"Connected to the broker at {broker.url}")
            eventually(lambda: broker.waiting("task_tube_one"), 1)
            assert worker.log.count("Waiting for the broker") == 1
