"""The development server as a command and in a thread; elsewhere, as a beanstalkd."""

import errno
import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from jobqueue import JobQueue
from jobqueue.devserver import DevServer
from jobqueue.devserver.__main__ import main
from tests.helpers.raw_client import RawClient, converse
from tests.helpers.servers import (
    DEADLINE,
    DevServerInThread,
    Target,
    eventually,
    eventually_true,
    free_port,
)
from tests.helpers.worker_process import WorkerProcess, write_module

ASK = b"list-tube-used\r\n"
USING = b"USING default\r\n"


class Command:
    """`python -m jobqueue.devserver`, and what it said when it had started."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "jobqueue.devserver", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr
        self.log = self.process.stderr
        self.greeting = [self.log.readline() for _ in range(2)]

    @property
    def url(self) -> str:
        return self.greeting[0].split()[-1]

    @property
    def target(self) -> Target:
        return target_of(self.url)


def target_of(url: str) -> Target:
    if url.startswith("unix://"):
        return url.removeprefix("unix://")
    host, _, port = url.removeprefix("beanstalkd://").rpartition(":")
    return host.strip("[]"), int(port)


@contextmanager
def command(*arguments: str) -> Iterator[Command]:
    running = Command(arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        running.log.close()


def test_it_says_where_it_listens_and_that_it_is_for_development() -> None:
    with command("--listen", "127.0.0.1:0") as server:
        first, second = server.greeting

        where = r"jobqueue-devserver: listening on beanstalkd://127\.0\.0\.1:[1-9]\d+\n"
        assert re.fullmatch(where, first)
        assert second == (
            "jobqueue-devserver: for development: jobs are in memory, "
            "and gone when it stops\n"
        )
        assert converse(server.target, ASK) == USING


def test_it_takes_an_address_and_a_port_as_beanstalkd_does() -> None:
    port = free_port()
    with command("-l", "127.0.0.1", "-p", str(port), "-z", "3", "-V") as server:
        assert server.url == f"beanstalkd://127.0.0.1:{port}"
        sent = b"put 0 0 1 4\r\nabcd\r\nput 0 0 1 3\r\nabc\r\n"
        assert converse(server.target, sent) == b"JOB_TOO_BIG\r\nINSERTED 1\r\n"
        assert "A connection was opened" in server.log.readline()


def test_it_listens_on_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEANSTALKD_URL", raising=False)
    with command("--listen", "[::1]:0") as server:
        assert server.url.startswith("beanstalkd://[::1]:")
        with JobQueue(server.url) as queue:

            @queue.task("t")
            def task() -> None: ...

            assert task.put() == 1


def test_it_listens_on_a_unix_socket_and_removes_it(socket_folder: Path) -> None:
    path = socket_folder / "s"
    with command("--listen", f"unix:{path}") as server:
        assert server.url == f"unix://{path}"
        assert converse(str(path), ASK) == USING

        server.process.terminate()
        server.process.wait(DEADLINE)

        assert not path.exists()


def test_it_takes_the_place_of_a_unix_socket_that_nobody_listens_on(
    socket_folder: Path,
) -> None:
    path = socket_folder / "s"
    with command("--listen", f"unix:{path}") as server:
        server.process.kill()
        server.process.wait(DEADLINE)
    assert path.exists()

    with DevServer(f"unix:{path}"):
        assert converse(str(path), ASK) == USING


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(signum: signal.Signals) -> None:
    with command("--listen", "127.0.0.1:0") as server, ExitStack() as stack:
        idle, waiting, sending, stuck = (
            stack.enter_context(RawClient(server.target)) for _ in range(4)
        )
        job_id = idle.put(bytes(60_000))
        waiting.send(b"watch a\r\nignore default\r\nreserve\r\n")
        sending.send(b"put 0 0 1 10\r\nhel")
        stuck.send(b"peek %d\r\n" % job_id * 1000)
        eventually_true(stuck.has_answer)
        eventually(lambda: idle.stats()["current-waiting"], "1")

        server.process.send_signal(signum)

        assert server.process.wait(DEADLINE) == 0
        assert server.log.read() == ""


def test_sigusr1_has_it_take_no_more_jobs() -> None:
    with (
        command("--listen", "127.0.0.1:0") as server,
        RawClient(server.target) as client,
    ):
        server.process.send_signal(signal.SIGUSR1)
        eventually(lambda: client.stats()["draining"], "true")

        assert client.ask(b"put 0 0 1 1\r\nx") == b"DRAINING\r\n"


def failed(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "jobqueue.devserver", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    return done.returncode, done.stderr


def test_a_port_in_use_is_one_line_and_status_1() -> None:
    with DevServer() as server:
        status, error = failed("--listen", server.url.removeprefix("beanstalkd://"))

        assert status == 1
        assert error == (
            f"jobqueue-devserver: can't listen on {server.url} (Address already in "
            "use): if a server runs there already, stop it, or name another address; "
            "port 0 is any free one\n"
        )


def test_a_unix_socket_in_use_is_not_taken_away(socket_folder: Path) -> None:
    path = socket_folder / "s"
    with DevServer(f"unix:{path}"):
        status, error = failed("--listen", f"unix:{path}")

        assert status == 1
        assert error.startswith(f"jobqueue-devserver: can't listen on unix://{path} (")
        assert converse(str(path), ASK) == USING


@pytest.mark.parametrize("address", ["nowhere.invalid", "unix:/nowhere/s", "1.2.3.4:5"])
def test_an_address_that_is_not_here_is_one_line_and_status_1(address: str) -> None:
    status, error = failed("-l", address)

    assert status == 1
    assert error.startswith("jobqueue-devserver: can't listen on ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["-l", "127.0.0.1:65536"],
        ["-p", "65536"],
        ["-p", "-1"],
        ["-p", "x"],
        ["-z", "x"],
        ["-b", "folder"],
        ["more"],
    ],
)
def test_wrong_options_are_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)

    assert error.value.code == 2
    assert "usage: jobqueue-devserver" in capsys.readouterr().err


def test_it_says_which_version_of_the_protocol_it_speaks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as error:
        main(["-v"])

    assert error.value.code == 0
    assert "beanstalkd: 1.12" in capsys.readouterr().out


def test_it_is_installed_as_a_command() -> None:
    (script,) = importlib.metadata.entry_points(
        group="console_scripts", name="jobqueue-devserver"
    )

    assert script.load() is main


def test_in_a_thread_it_has_an_address_and_is_gone_afterwards() -> None:
    with DevServerInThread() as server:
        target = server.target
        assert converse(target, ASK) == USING

    assert "jobqueue-devserver" not in {thread.name for thread in threading.enumerate()}
    with socket.socket() as probe:
        assert probe.connect_ex(target) != 0


def test_in_a_thread_it_ends_whatever_its_clients_do() -> None:
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


def test_several_in_threads_know_nothing_of_each_other() -> None:
    with DevServerInThread() as one, DevServerInThread() as two:
        with RawClient(one.target) as client:
            client.put()
        with RawClient(two.target) as client:
            assert client.ask(b"peek 1") == b"NOT_FOUND\r\n"


def test_one_in_a_thread_can_begin_anew_and_is_empty_then() -> None:
    server = DevServerInThread(f"127.0.0.1:{free_port()}")
    with server, RawClient(server.target) as client:
        client.put()
    with server, RawClient(server.target) as client:
        assert client.ask(b"peek 1") == b"NOT_FOUND\r\n"


def test_in_a_thread_a_port_in_use_is_an_oserror_that_says_what_to_do() -> None:
    with DevServer() as server:
        address = server.url.removeprefix("beanstalkd://")
        with pytest.raises(OSError, match="port 0 is any free one"), DevServer(address):
            pass


def test_what_is_no_address_is_a_valueerror() -> None:
    with pytest.raises(ValueError, match="65536 is no port"):
        DevServer("127.0.0.1:65536")


@pytest.mark.parametrize("address", ["localhost:", "127.0.0.1:abc", "unix:"])
def test_an_address_with_half_missing_is_a_valueerror(address: str) -> None:
    with pytest.raises(ValueError, match=r"is no port|needs a path"):
        DevServer(address)


def test_in_a_thread_that_can_not_begin_it_is_an_oserror(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_descriptor_is_left(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("asyncio.run", no_descriptor_is_left)
    monkeypatch.setattr(DevServer, "_serve", lambda *_: None)

    with pytest.raises(OSError, match="Too many open files"), DevServer():
        pass


def test_in_a_thread_it_can_be_told_to_take_no_more_jobs() -> None:
    with DevServerInThread(max_job_size=10) as server:
        server.drain()

        assert converse(server.target, b"put 0 0 1 1\r\nx\r\n") == b"DRAINING\r\n"


def test_hundreds_of_clients_come_and_go() -> None:
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


def test_a_worker_works_on_it(tmp_path: Path) -> None:
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
