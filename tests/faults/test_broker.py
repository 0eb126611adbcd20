"""A broker that dies, forgets all, has no room on its disk, or no file descriptors."""

import logging
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from jobqueue import (
    BrokerError,
    BrokerOutOfMemoryError,
    BrokerTimeoutError,
    JobQueue,
    Worker,
)
from jobqueue.task.putter import Putter
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, eventually_true
from tests.helpers.worker_thread import with_timings, working


def impatient(worker: Worker) -> Worker:
    """Return a worker that soon notices that the broker is back."""
    return with_timings(worker, longest_reconnect_pause=0.1)


@pytest.mark.usefixtures("_each_beanstalkd")
def test_killed_often(tmp_path: Path, socket_folder: Path) -> None:
    """Jobs that were put run, and buried jobs stay buried."""
    ran: Counter[int] = Counter()
    put = set()
    broker = Beanstalkd(socket_folder / "b.sock", "-b", str(tmp_path), "-f", "0")
    with broker, JobQueue(broker.url) as queue:

        @queue.task("t")
        def work(number: int) -> None:
            ran[number] += 1

        @queue.task("t")
        def fail(number: int) -> None:
            ran[number] += 1
            raise ValueError(number)

        with working(impatient(Worker(threads=2))):
            for number in range(400):
                try:
                    (work if number % 2 else fail).put(number=number)
                    put.add(number)
                except BrokerError:
                    pass
                if number % 20 == 0:
                    broker.kill()
                    broker.start()
            eventually(lambda: broker.counts("t").keys(), {"buried"})
        broker.kill()
        broker.start()
        failed = {number for number in ran if number % 2 == 0}
        assert broker.counts("t") == {"buried": len(failed)}

    assert put <= ran.keys()
    assert ran.total() - len(ran) <= 20 * 2  # of each slot, at each kill


def test_forgotten_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """A broker without a binlog gives its id to another job."""
    ran = []
    may_end = threading.Event()

    @queue.task("t")
    def old(*, fails: bool) -> None:
        ran.append("old")
        assert may_end.wait(DEADLINE)
        if fails:
            raise ValueError

    @queue.task("t")
    def new() -> None:
        ran.append("new")

    first = old.put(fails=False), old.put(fails=True)
    with working(impatient(Worker(threads=2))):
        eventually(lambda: ran, ["old", "old"])
        broker.kill()
        broker.start()
        with broker.client("t") as client:
            client.pause_tube("t", 3600)
            assert (new.put(), new.put()) == first
            may_end.set()
            eventually(lambda: broker.waiting("t"), 2)
            assert broker.counts("t") == {"ready": 2}
            client.pause_tube("t", 0)
        eventually(lambda: broker.counts("t"), {})

    assert ran == ["old", "old", "new", "new"]


@pytest.mark.usefixtures("_each_beanstalkd")
def test_half_written_job(
    tmp_path: Path, socket_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that a killed broker has not written whole is buried, and no other.

    The binlog is edited by hand: a kill would have to hit the moment of moving the job.
    """
    ran = []
    broker = Beanstalkd(socket_folder / "b.sock", "-b", str(tmp_path), "-f", "0")
    with broker, JobQueue(broker.url) as queue:

        @queue.task("t")
        def work(text: str) -> None:
            ran.append(text)

        for text in ("before", "destroyed", "after"):
            work.put(text=text)
        broker.kill()
        (binlog,) = tmp_path.glob("binlog.*")
        found = re.search(
            rb'{"func_name":"work"[^}]*"destroyed"}}\r\n', binlog.read_bytes()
        )
        assert found
        binlog.chmod(0o600)
        with binlog.open("r+b") as file:
            file.seek(found.start())
            file.write(bytes(len(found.group())))
        broker.start()
        with working(impatient(Worker())):
            eventually(lambda: broker.counts("t"), {"buried": 1})
        command = [sys.executable, "-m", "jobqueue", "show", "2", "--url", broker.url]
        subprocess.run(command, check=True)

    assert ran == ["before", "after"]
    assert "Job 2 buried: it can't be run" in caplog.text


def test_draining(broker: Beanstalkd, queue: JobQueue) -> None:
    ran = []

    @queue.task("t")
    def work(number: int) -> None:
        ran.append(number)

    work.put_many({"number": n} for n in range(10))
    broker.drain()
    with working(impatient(Worker())):
        eventually(lambda: broker.counts("t"), {})

    assert ran == list(range(10))


@contextmanager
def small_disk(folder: Path) -> Iterator[tuple[str, ...]]:
    """Mount a few kilobytes there; yield what makes a command one that sees them."""
    mount = (
        f"mount -t tmpfs -o size=64k tmpfs '{folder}' && echo done && exec sleep 999"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as mounted:
        assert mounted.stdout
        try:
            assert mounted.stdout.readline() == b"done\n"
            namespace = f"--target={mounted.pid}", "--user", "--mount"
            yield "nsenter", *namespace, "--preserve-credentials"
        finally:
            mounted.kill()


def may_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    try:
        with small_disk(folder) as wrapper:
            return subprocess.run([*wrapper, "true"], check=False).returncode == 0
    except AssertionError:
        return False


def work(text: str) -> None: ...


def fill(queue: JobQueue) -> int:
    """Put jobs until there is no room for the smallest; return how many."""
    put = queue.task("t")(work).put
    ids = []
    for size in (1000, 0):
        try:
            while True:
                ids.append(put(text="x" * size))
        except BrokerOutOfMemoryError as error:
            assert "has no room for its binlog" in str(error)  # noqa: PT017
    return len(ids)


@pytest.mark.usefixtures("_each_beanstalkd")
def test_full_disk(
    tmp_path: Path, socket_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Jobs are refused, and none is lost.

    beanstalkd forgets which connection holds a job that it had no room to bury.
    The job is nobody's until the server reads its binlog again.
    """
    if not may_mount(tmp_path):
        pytest.skip("no small disk can be mounted")
    caplog.set_level(logging.INFO)
    ran = []
    options = "-b", str(tmp_path), "-f", "0", "-s", "8192"
    with ExitStack() as stack:
        wrapper = stack.enter_context(small_disk(tmp_path))
        broker = Beanstalkd(socket_folder / "b.sock", *options, wrapped_in=wrapper)
        queue = stack.enter_context(JobQueue(stack.enter_context(broker).url))

        @queue.task("t", priority=0)
        def fail(number: int) -> None:
            ran.append(number)
            raise ValueError

        fail.put_many(
            {"number": n} for n in range(4)
        )  # there is room to bury the first
        count = fill(queue)
        with working(impatient(Worker())):
            eventually(lambda: caplog.text.count(" done: work"), count)
            assert "has no room for its binlog" in caplog.text
            assert ran == [0, 1, 2, 3]
            broker.kill()
            larger = "mount", "-o", "remount,size=1m", str(tmp_path)
            subprocess.run([*wrapper, *larger], check=True)
            broker.start()
            eventually(lambda: broker.counts("t"), {"buried": 4})

    assert caplog.text.count(" done: work") == count
    assert set(ran[4:]) < {0, 1, 2, 3}


@pytest.mark.usefixtures("_each_beanstalkd")
def test_no_file_descriptors(
    socket_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = "sh", "-c", 'ulimit -n 12; exec "$@"', "sh"
    ran = []
    broker = Beanstalkd(socket_folder / "b.sock", wrapped_in=few)
    with broker, JobQueue(f"{broker.url}?timeout=0.3") as queue, ExitStack() as stack:

        @queue.task("t")
        def work(number: int) -> None:
            ran.append(number)

        taken = stack.enter_context(ExitStack())
        for _ in range(20):
            sock = taken.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(str(broker.target))
        with pytest.raises(BrokerTimeoutError):
            work.put(number=1)
        stack.enter_context(working(impatient(Worker())))
        eventually_true(lambda: "Waiting for the broker" in caplog.text)
        taken.close()
        eventually_true(lambda: is_put(work, 2))
        eventually_true(lambda: 2 in ran)


def is_put(task: Putter[[int], None], number: int) -> bool:
    try:
        task.put(number)
    except BrokerError:
        return False
    return True
