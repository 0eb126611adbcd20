"""A broker that belongs to one test."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from jobqueue.devserver import DevServer
from jobqueue.errors import BrokerUnreachableError
from jobqueue.pool import ConnectionPool
from jobqueue.testing.diversion import diverted_to

STARTING = 10.0  # seconds
POLL = 0.005  # seconds


@contextmanager
def beanstalkd() -> Iterator[str]:
    """Start a private, empty broker, and yield its URL.

    It is a real beanstalkd if one is on the PATH, else ``jobqueue.devserver``. Until
    the end of the block all puts of this process go there, whatever the URL of their
    queue, and ``$BEANSTALKD_URL`` names it, for processes that the test starts.

    Raises :class:`~jobqueue.errors.BrokerUnreachableError` if it does not start.

    >>> with beanstalkd() as url:
    ...     send.put(to="ada@example.org", subject="Hello")
    ...     Worker(url=url, burst=True).run()
    1
    """
    with (
        _server() as url,
        closing(_UndivertedPool(url)) as pool,
        diverted_to(pool),
        _named_by_environment(url),
    ):
        yield url


class _UndivertedPool(ConnectionPool):
    """A pool whose puts go to its own broker in any case."""

    put = ConnectionPool.put
    put_many = ConnectionPool.put_many


@contextmanager
def _server() -> Iterator[str]:
    program = shutil.which("beanstalkd")
    if program is None:
        with DevServer() as server:
            yield server.url
        return
    # Not in the test's own folder: the path of a socket has room for 100 bytes or so.
    with tempfile.TemporaryDirectory(prefix="jq-") as folder:
        path = Path(folder) / "socket"
        with subprocess.Popen([program, "-l", f"unix:{path}"]) as process:  # noqa: S603
            try:
                _wait_until_it_listens(process, path)
                yield f"unix://{path}"
            finally:
                process.kill()  # nothing of it is to stay


def _wait_until_it_listens(process: subprocess.Popen[bytes], path: Path) -> None:
    deadline = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(POLL)
    raise BrokerUnreachableError(
        f"{process.args!r} did not start: try it by hand, or take beanstalkd off the "
        "PATH, and jobqueue's development server takes its place"
    )


@contextmanager
def _named_by_environment(url: str) -> Iterator[None]:
    before = os.environ.get("BEANSTALKD_URL")
    os.environ["BEANSTALKD_URL"] = url
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("BEANSTALKD_URL", None)
        else:
            os.environ["BEANSTALKD_URL"] = before
