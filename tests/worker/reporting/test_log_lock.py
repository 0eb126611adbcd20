"""Lines of several processes in one log: each is whole, whatever it goes to."""

import fcntl
import json
import os
import pty
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

BEGIN = """
import os, signal, sys
from jobqueue.worker.reporting.log_lock import LogLock

lock = LogLock()

def forked(act):
    pid = os.fork()
    if not pid:
        act()
        os._exit(0)
    return pid
"""

THREE_WRITERS = f"""{BEGIN}
def write(letter):
    for n in range(6):
        for size in (10, 4096, 9_000, 70_000):
            lock.write(2, letter * (size - 1) + b"\\n")

pids = [forked(lambda: write(letter)) for letter in (b"a", b"b", b"c")]
sys.exit(max(os.waitpid(pid, 0)[1] for pid in pids))
"""
SIZES = {10, 4096, 9_000, 70_000}


@contextmanager
def script(source: str, stderr: int) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", source], stderr=stderr) as process:
        yield process
        assert process.wait() == 0


def read_slowly(fd: int) -> bytes:
    """Read to the end, with pauses in which writers fill what they write to."""
    data = bytearray()
    with ExitStack() as stack:
        stack.callback(os.close, fd)
        while True:
            try:
                piece = os.read(fd, 50_000)
            except OSError:  # the other side of a terminal is closed
                return bytes(data)
            if not piece:
                return bytes(data)
            data += piece
            time.sleep(0.0005)


def small_pipe() -> tuple[int, int]:
    """Return a pipe that holds 4,096 bytes, where that can be chosen."""
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    return reading, writing


def non_blocking_pipe() -> tuple[int, int]:
    reading, writing = small_pipe()
    os.set_blocking(writing, False)
    return reading, writing


def sockets() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


OUTPUTS: dict[str, Callable[[], tuple[int, int]]] = {
    "pipe": small_pipe,
    "pipe that does not block": non_blocking_pipe,
    "socket": sockets,
    "terminal": pty.openpty,
}


def test_locks_of_processes() -> None:
    """They take the place of those that only Linux has."""
    reading, writing = small_pipe()
    with script(
        f"import fcntl; vars(fcntl).pop('F_OFD_SETLKW', 0){THREE_WRITERS}", writing
    ):
        os.close(writing)
        data = read_slowly(reading)

    assert {len(set(line)) for line in data.splitlines()} == {1}


@pytest.mark.parametrize("kind", [*OUTPUTS, "file"])
def test_whole_lines(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        with (
            (tmp_path / "log").open("wb") as file,
            script(THREE_WRITERS, file.fileno()),
        ):
            pass
        data = (tmp_path / "log").read_bytes()
    else:
        reading, writing = OUTPUTS[kind]()
        with script(THREE_WRITERS, writing):
            os.close(writing)
            data = read_slowly(reading)

    lines = data.splitlines()
    assert len(lines) == 3 * 6 * len(SIZES)
    assert {len(set(line)) for line in lines} == {1}
    assert {len(line) + 1 for line in lines} == SIZES


# As a supervisor with one process does, whose task forks another.
ONE_WORKER = f"""{THREE_WRITERS.partition("pids =")[0]}
lock = LogLock(for_several=False)

def work():
    write(b"a")
    forked(lambda: write(b"b"))
    write(b"a")
    os.wait()

forked(work)
lock.write(2, b"c\\n")
sys.exit(os.wait()[1])
"""


def test_one_worker() -> None:
    """It needs no locks as long as it is the only one."""
    reading, writing = small_pipe()
    with script(ONE_WORKER, writing):
        os.close(writing)
        data = read_slowly(reading)

    lines = data.splitlines()
    assert len(lines) == 3 * 6 * len(SIZES) + 1
    assert {len(set(line)) for line in lines} == {1}


# The first writer fills a pipe, forks a child, and is killed with a part of its line
# written. Meanwhile two others wait.
KILLED_WRITER = f"""{BEGIN}
import select, threading, time

reading, writing = os.pipe()
begun, begins = os.pipe()
end, ends = os.pipe()

def wait_until_full():
    while select.select([], [writing], [], 0)[1]:
        time.sleep(0.001)

def be_killed():
    line = b"a" * 200_000 + b"\\n"
    threading.Thread(target=lock.write, args=(writing, line)).start()
    wait_until_full()
    forked(lambda: (os.close(ends), os.close(writing), os.read(end, 1)))
    os.write(begins, b"1")
    signal.pause()

killed = forked(be_killed)
os.read(begun, 1)
for size in (10, 9_000):
    forked(lambda: lock.write(writing, b"b" * size + b"\\n"))
os.close(writing)
os.kill(killed, signal.SIGKILL)
with open(reading, "rb") as pipe:
    for line in pipe:
        print(line[:1].decode(), len(line))
"""


def test_killed_writer() -> None:
    """Its lock is free, though a child of it lives, and the next line is a new one."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_WRITER],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=20,
    )

    cut, *others = done.stdout.splitlines()
    assert cut[0] == "a"
    assert sorted(others) == ["b 11", "b 9001"]


FULL_DISK = f"""{BEGIN}
import resource

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for size, limit in (10, 4), (9_000, 9_005), (30, 9_100), (30, 9_100):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        lock.write(2, b"a" * size + b"\\n")
    except OSError:
        print("failed", size)
"""


def test_full_disk(tmp_path: Path) -> None:
    """The line after one that was cut is a new one, once there is room."""
    with (tmp_path / "log").open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=True,
        )

    assert done.stdout.split("\n")[:-1] == ["failed 10", "failed 9000"]
    lines = (tmp_path / "log").read_bytes().split(b"\n")
    assert list(map(len, lines)) == [4, 9000, 30, 30, 0]


FAILING = """
import os, time
from pathlib import Path
from jobqueue import JobQueue

queue = JobQueue()

@queue.task("t")
def fail(size):
    Path(f"{os.getpid()}.begun").touch()
    for _ in range(10_000):
        if len(list(Path().glob("*.begun"))) == 3:
            break
        time.sleep(0.001)
    raise ValueError("x" * size)
"""


@pytest.mark.parametrize("way", ["forked", "spawned", "text"])
def test_worker(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The lines of its processes are whole in a pipe that is read slowly."""
    (tmp_path / "tasks.py").write_text(FAILING)
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    options = ["--log-format=json"] if way != "text" else []
    if way == "spawned":  # as the supervisor has a thread that serves metrics
        options.append(f"--metrics-port={free_port()}")
    put = (
        "import tasks; tasks.fail.put_many({'size': n % 3 * 20_000} for n in range(24))"
    )
    subprocess.run([sys.executable, "-c", put], cwd=tmp_path, check=True)
    reading, writing = small_pipe()
    command = [sys.executable, "-m", "jobqueue.worker", "--import=tasks", "--burst"]
    with subprocess.Popen(
        [*command, "--processes=3", *options], cwd=tmp_path, stderr=writing
    ) as process:
        os.close(writing)
        log = read_slowly(reading).decode()

    assert process.returncode == 0
    assert broker.counts("t") == {"buried": 24}
    if way == "text":
        entries = re.split(r"^(?=\d)", log, flags=re.MULTILINE)
        failures = [entry for entry in entries if " ERROR " in entry]
        assert all(re.search(r"\nValueError(: x+)?\n\Z", entry) for entry in failures)
    else:
        objects = map(json.loads, log.splitlines())
        failures = [line for line in objects if line["level"] == "ERROR"]
    assert len(failures) == 24
