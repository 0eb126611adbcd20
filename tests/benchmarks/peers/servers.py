"""A beanstalkd or a redis-server of one measurement's own, over loopback, no disk."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEADLINE = 10  # seconds


@contextmanager
def server(kind: str, folder: Path) -> Iterator[int]:
    """Run a new server, and yield its port."""
    port = _free_port()
    if kind == "beanstalkd":
        command = ["beanstalkd", "-l", "127.0.0.1", "-p", str(port)]
    else:
        # Defaults, but nothing is written to disk.
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    with (
        # beanstalkd prints a line for each worker that hangs up.
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.kill()


def url(kind: str, port: int) -> str:
    """Return the URL of a server, as the libraries take it."""
    return f"{kind}://127.0.0.1:{port}"


def version(kind: str) -> str:
    """Return the version that a server prints."""
    option = "-v" if kind == "beanstalkd" else "--version"
    program = "beanstalkd" if kind == "beanstalkd" else "redis-server"
    told = subprocess.run([program, option], capture_output=True, text=True, check=True)
    words = (told.stdout or told.stderr).split()
    if kind == "beanstalkd":
        return words[1]
    return next(word[2:] for word in words if word.startswith("v="))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} does not answer")
