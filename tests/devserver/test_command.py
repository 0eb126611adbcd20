"""The command `python -m jobqueue.devserver`."""

import importlib.metadata
import re
import signal
import subprocess
import sys
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
    Target,
    eventually,
    eventually_true,
    free_port,
)

ASK = b"list-tube-used\r\n"


USING = b"USING default\r\n"


class Command:
    """`python -m jobqueue.devserver`, and what it printed at its start."""

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


def test_greeting() -> None:
    """It names the address, and says that it is for development."""
    with command("--listen", "127.0.0.1:0") as server:
        first, second = server.greeting

        where = r"jobqueue-devserver: listening on beanstalkd://127\.0\.0\.1:[1-9]\d+\n"
        assert re.fullmatch(where, first)
        assert second == (
            "jobqueue-devserver: for development: jobs are in memory, "
            "and gone when it stops\n"
        )
        assert converse(server.target, ASK) == USING


def test_beanstalkds_options() -> None:
    port = free_port()
    with command("-l", "127.0.0.1", "-p", str(port), "-z", "3", "-V") as server:
        assert server.url == f"beanstalkd://127.0.0.1:{port}"
        sent = b"put 0 0 1 4\r\nabcd\r\nput 0 0 1 3\r\nabc\r\n"
        assert converse(server.target, sent) == b"JOB_TOO_BIG\r\nINSERTED 1\r\n"
        assert "A connection was opened" in server.log.readline()


def test_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEANSTALKD_URL", raising=False)
    with command("--listen", "[::1]:0") as server:
        assert server.url.startswith("beanstalkd://[::1]:")
        with JobQueue(server.url) as queue:

            @queue.task("t")
            def task() -> None: ...

            assert task.put() == 1


def test_unix_socket_is_removed_at_the_end(socket_folder: Path) -> None:
    path = socket_folder / "s"
    with command("--listen", f"unix:{path}") as server:
        assert server.url == f"unix://{path}"
        assert converse(str(path), ASK) == USING

        server.process.terminate()
        server.process.wait(DEADLINE)

        assert not path.exists()


def test_stale_unix_socket_is_replaced(
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
def test_signal_stops_it(signum: signal.Signals) -> None:
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


def test_sigusr1_drains_it() -> None:
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


def test_port_in_use() -> None:
    with DevServer() as server:
        status, error = failed("--listen", server.url.removeprefix("beanstalkd://"))

        assert status == 1
        assert error == (
            f"jobqueue-devserver: can't listen on {server.url} (Address already in "
            "use): if a server runs there already, stop it, or name another address; "
            "port 0 is any free one\n"
        )


def test_unix_socket_in_use_stays(socket_folder: Path) -> None:
    path = socket_folder / "s"
    with DevServer(f"unix:{path}"):
        status, error = failed("--listen", f"unix:{path}")

        assert status == 1
        assert error.startswith(f"jobqueue-devserver: can't listen on unix://{path} (")
        assert converse(str(path), ASK) == USING


@pytest.mark.parametrize("address", ["nowhere.invalid", "unix:/nowhere/s", "1.2.3.4:5"])
def test_unusable_address(address: str) -> None:
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
def test_wrong_options(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)

    assert error.value.code == 2
    assert "(see jobqueue-devserver --help)\n" in capsys.readouterr().err


def test_version(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as error:
        main(["-v"])

    assert error.value.code == 0
    assert "beanstalkd: 1.13" in capsys.readouterr().out


def test_console_script() -> None:
    (script,) = importlib.metadata.entry_points(
        group="console_scripts", name="jobqueue-devserver"
    )

    assert script.load() is main
