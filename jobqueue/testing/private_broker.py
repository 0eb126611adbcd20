"""A broker that belongs to one test."""

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

# A server that ends takes the shell with it. When this process ends, however that may
# be, the shell's standard input does, and it takes the server along.
WHILE_SOMEBODY_CARES = '("$0" -l "$1"; kill $$) & read -r _; kill -9 -$$'


@contextmanager
def beanstalkd() -> Iterator[str]:
    """Start a private, empty broker, and yield its URL.

    It is a real beanstalkd if one is on the PATH, else ``jobqueue.devserver``. Until
    the end of the block all puts of this process go there, whatever the URL of their
    queue, and its workers take jobs from there. ``$BEANSTALKD_URL`` names it for other
    processes; one whose queue has a URL of its own has to be told.

    Raises :class:`~jobqueue.errors.BrokerUnreachableError` if it does not start.

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
        command = ["/bin/sh", "-c", WHILE_SOMEBODY_CARES, program, f"unix:{path}"]
        # In a group of its own, so that Ctrl-C is the tests' business only.
        with subprocess.Popen(  # noqa: S603 - it is our own command
            command, stdin=subprocess.PIPE, process_group=0
        ) as process:
            try:
                _wait_until_it_listens(process, program, path)
                yield f"unix://{path}"
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # nothing of it is to stay


def _short_folder() -> str | None:
    """Return where a socket's path is short enough; None: wherever temporary files go.

    A path has room for some 100 bytes.
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
