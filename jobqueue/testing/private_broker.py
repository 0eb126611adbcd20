"""beanstalkd: a private broker for a test."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from jobqueue.broker.pool import ConnectionPool
from jobqueue.devserver import DevServer
from jobqueue.errors import BrokerUnreachableError
from jobqueue.testing.redirect import redirected_to

STARTING = 10.0  # seconds
POLL = 0.005  # seconds
LONGEST_FOLDER = 70  # characters

# A shell runs the server, and is killed when the server ends. When this process ends,
# even by SIGKILL, the shell's standard input ends, and the shell kills the server.
WATCHED = '("$0" -l "$1"; kill $$) & read -r _; kill -9 -$$'


@contextmanager
def beanstalkd() -> Iterator[str]:
    """Start a private, empty broker, and yield its URL.

    The broker is a beanstalkd if one is on the PATH, else ``jobqueue.devserver``. Until
    the end of the block all puts of this process go there, whatever the URL of their
    queue, and workers of this process take jobs from there. ``$BEANSTALKD_URL`` names
    it for child processes. A child whose queue has a URL of its own still uses that.

    Raises :class:`~jobqueue.errors.BrokerUnreachableError` if the broker does not
    start.

    >>> with beanstalkd() as url:
    ...     send.put(to="ada@example.org", subject="Hello")
    ...     Worker(burst=True).run()
    1
    """
    with (
        _server() as url,
        closing(ConnectionPool(url)) as pool,
        redirected_to(pool, url),
    ):
        yield url


@contextmanager
def _server() -> Iterator[str]:
    program = shutil.which("beanstalkd")
    if program is None:
        with DevServer() as server:
            yield server.url
        return
    with tempfile.TemporaryDirectory(prefix="jq-", dir=_short_folder()) as folder:
        path = Path(folder) / "socket"
        command = ["/bin/sh", "-c", WATCHED, program, f"unix:{path}"]
        # In a process group of its own, so that Ctrl-C reaches the tests only.
        with subprocess.Popen(  # noqa: S603 - it is our own command
            command, stdin=subprocess.PIPE, process_group=0
        ) as process:
            try:
                _wait_until_it_listens(process, program, path)
                yield f"unix://{path}"
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # the shell and the server


def _short_folder() -> str | None:
    """Return a folder in which a socket's path is short enough, or None for the usual.

    The path of a Unix socket has at most about 100 bytes.
    """
    return "/tmp" if len(tempfile.gettempdir()) > LONGEST_FOLDER else None  # noqa: S108 - a folder is made in it


def _wait_until_it_listens(
    process: subprocess.Popen[bytes], program: str, path: Path
) -> None:
    deadline = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(POLL)
    raise BrokerUnreachableError(
        f"{program} did not start: try it by hand, or take beanstalkd off the "
        "PATH, and jobqueue's development server takes its place"
    )
