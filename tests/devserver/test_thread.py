"""DevServer: the development server in a thread."""

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from jobqueue.devserver import DevServer
from tests.helpers.raw_client import RawClient, converse
from tests.helpers.refused_threads import refusing_threads
from tests.helpers.servers import (
    DevServerInThread,
    eventually,
    eventually_true,
    free_port,
)
from tests.helpers.worker_process import WorkerProcess, write_module

ASK = b"list-tube-used\r\n"


USING = b"USING default\r\n"


def test_it_serves_during_the_block() -> None:
    with DevServerInThread() as server:
        target = server.target
        assert converse(target, ASK) == USING

    assert "jobqueue-devserver" not in {thread.name for thread in threading.enumerate()}
    with socket.socket() as probe:
        assert probe.connect_ex(target) != 0


def test_it_ends_whatever_clients_do() -> None:
    with ExitStack() as stack:
        with DevServerInThread() as server:
            clients = [stack.enter_context(RawClient(server.target)) for _ in range(5)]
            job_id = clients[0].put(bytes(60_000))
            clients[1].send(b"watch a\r\nignore default\r\nreserve\r\n")
            clients[2].send(b"put 0 0 1 10\r\nhel")
            clients[3].send(b"peek %d\r\n" % job_id * 1000)
            eventually_true(clients[3].has_answer)
            eventually(lambda: clients[0].stats()["current-waiting"], "1")

        assert clients[1].reply() == b"WATCHING 2\r\n"
        assert clients[1].reply() == b"WATCHING 1\r\n"
        assert clients[1].reply() == b""


def test_two_servers_are_independent() -> None:
    with DevServerInThread() as one, DevServerInThread() as two:
        with RawClient(one.target) as client:
            client.put()
        with RawClient(two.target) as client:
            assert client.ask(b"peek 1") == b"NOT_FOUND\r\n"


def test_it_starts_again_and_is_empty() -> None:
    server = DevServerInThread(f"127.0.0.1:{free_port()}")
    with server, RawClient(server.target) as client:
        client.put()
    with server, RawClient(server.target) as client:
        assert client.ask(b"peek 1") == b"NOT_FOUND\r\n"


def test_port_in_use() -> None:
    """The OSError says what to do."""
    with DevServer() as server:
        address = server.url.removeprefix("beanstalkd://")
        with pytest.raises(OSError, match="port 0 is any free one"), DevServer(address):
            pass


def test_port_out_of_range() -> None:
    with pytest.raises(ValueError, match="65536 is no port"):
        DevServer("127.0.0.1:65536")


@pytest.mark.parametrize("address", ["localhost:", "127.0.0.1:abc", "unix:"])
def test_incomplete_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"is no port|needs a path"):
        DevServer(address)


def test_thread_that_cannot_start_its_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_descriptor_is_left(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("asyncio.run", no_descriptor_is_left)
    monkeypatch.setattr(DevServer, "_serve", lambda *_: None)

    with pytest.raises(OSError, match="Too many open files"), DevServer():
        pass


def test_drain() -> None:
    with DevServerInThread(max_job_size=10) as server:
        server.drain()

        assert converse(server.target, b"put 0 0 1 1\r\nx\r\n") == b"DRAINING\r\n"


def test_hundreds_of_clients() -> None:
    with DevServerInThread() as server, ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.target)) for _ in range(300)]
        for client in clients[1:]:
            client.send(b"reserve\r\n")
        eventually(lambda: clients[0].stats()["current-waiting"], "299")
        for _ in clients[1:]:
            clients[0].put()

        found = sorted(int(client.reply().split()[1]) for client in clients[1:])
        assert found == list(range(1, 300))
        for client in clients[1:]:
            client.close()
        eventually(lambda: clients[0].stats()["current-jobs-ready"], "299")


def test_a_worker_runs_its_jobs(tmp_path: Path) -> None:
    source = """
from jobqueue import JobQueue
queue = JobQueue()
@queue.task("t", retries=1, backoff=0)
def task_one(arg1):
    print("ran with", arg1, flush=True)
    if arg1 == "b":
        raise ValueError(arg1)
"""
    write_module(tmp_path, "tasks", source)
    with DevServerInThread() as server:
        script = "import tasks; tasks.task_one.put('a'); tasks.task_one.put('b')"
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=os.environ | {"BEANSTALKD_URL": server.url},
            check=True,
        )
        arguments = "--import", "tasks", "--tube", "t"
        with WorkerProcess(tmp_path, *arguments, BEANSTALKD_URL=server.url) as worker:
            worker.says("ran with a")
            worker.says("Job 2 buried after attempt 2 of 2")
            worker.signal(signal.SIGTERM)
            assert worker.exit_code() == 0
        with RawClient(server.target) as client:
            assert client.stats()["current-jobs-buried"] == "1"
            assert client.ask(b"peek 1") == b"NOT_FOUND\r\n"


def test_more_connections_than_files_allow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that are open go on; others are closed at once, until there is room."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (70, 70))
    with DevServerInThread() as server, ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.target)) for _ in range(35)]
        assert [client.ask(ASK[:-2]) for client in clients] == [USING] * 35
        for _ in range(50):
            with RawClient(server.target) as refused, suppress(ConnectionError):
                assert refused.ask(ASK[:-2]) == b""
        assert [client.ask(ASK[:-2]) for client in clients] == [USING] * 35
        clients.pop().close()
        eventually(lambda: clients[0].stats()["current-connections"], "34")

        assert converse(server.target, ASK) == USING
    (message,) = caplog.messages
    assert "35 are open, all that the limit of open files (ulimit -n) allows" in message


def test_no_thread(socket_folder: Path) -> None:
    """Nothing is left behind, so that the next try works."""
    path = socket_folder / "d.sock"
    with refusing_threads("jobqueue-devserver"):
        for listen in (f"unix:{path}", f"127.0.0.1:{free_port()}"):
            with pytest.raises(RuntimeError), DevServer(listen):
                pass
    assert not path.exists()
    with DevServer(f"unix:{path}"):
        assert converse(str(path), ASK) == USING
