"""A worker for which the system starts no thread: nothing is lost, all is said."""

import asyncio
import errno
import logging
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jobqueue import JobQueue, JobQueueError, Worker
from tests.helpers.fake_broker import RESERVED, SILENCE, FakeBroker, stats_reply
from tests.helpers.refused_threads import refusing_threads
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.worker_process import WorkerProcess, write_module
from tests.helpers.worker_thread import working

LOOP = "jobqueue-event-loop"


def test_job_is_put_back(socket_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It has not failed, though it has no retries; and it is no job for max_jobs."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"reserve-with-timeout", RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply()).on(b"release", b"RELEASED\r\n")
    ran: list[int] = []

    @JobQueue(fake.url).task("t")
    async def work() -> None:
        await asyncio.sleep(0)
        ran.append(9)

    with fake, refusing_threads(LOOP), working(Worker(max_jobs=1)):
        eventually_true(lambda: any(c.startswith(b"release") for c in fake.received))
    assert ran == []
    (record,) = (r for r in caplog.records if "put back" in r.getMessage())
    assert record.levelno == logging.WARNING
    assert "(can't start new thread)" in record.getMessage()
    assert record.__dict__["job_id"] == 9


@pytest.mark.parametrize("thread", ["jobqueue-heartbeat", "jobqueue-time-limits"])
def test_worker_does_not_start(
    broker: Beanstalkd, queue: JobQueue, thread: str
) -> None:
    """It can run later."""
    ran: list[int] = []

    @queue.task("t", time_limit=60)
    def work() -> None:
        ran.append(1)

    work.put()
    worker = Worker(burst=True)
    with (
        refusing_threads(thread),
        pytest.raises(JobQueueError, match=f"{thread} can't be started"),
    ):
        worker.run()
    assert broker.counts("t") == {"ready": 1}

    worker.run()
    assert ran == [1]


def test_no_descriptor_for_signals(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker does not start, and can run later."""

    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    @queue.task("t")
    def work() -> None: ...

    worker = Worker(burst=True)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socketpair", refuse)
        with pytest.raises(JobQueueError, match="signals with: Too many open files"):
            worker.run()
    worker.run()


def test_no_memory_for_a_slot(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None: ...

    with (
        refusing_threads("jobqueue-slot", error=MemoryError),
        pytest.raises(JobQueueError, match="only 0 of 2 threads could be started"),
    ):
        Worker(threads=2).run()
    assert broker.connections() == 0


def test_line_of_the_log(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """It is written without its thread."""
    caplog.set_level(logging.INFO)

    @queue.task("t")
    def work() -> None: ...

    for error in (RuntimeError, MemoryError):
        with refusing_threads("jobqueue-call-with-timeout", error=error):
            Worker(burst=True).run()
        assert "Worker stopped" in caplog.text
        caplog.clear()


def test_stop_with_a_thread_left(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker does not wait for ever for the thread that a task has left."""
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    write_module(
        tmp_path,
        "tasks",
        "import threading, time\n"
        "from tests.helpers.refused_threads import refusing_threads\n"
        "from jobqueue import JobQueue\n"
        "@JobQueue.task('t')\n"
        "def leave():\n"
        "    threading.Thread(target=time.sleep, args=(600,), name='left').start()\n"
        "    refusal.__enter__()\n"
        "refusal = refusing_threads('jobqueue-end')\n",
    )
    broker.put(b'{"func_name": "leave", "tube": "t", "kwargs": {}}')
    options = ("--import", "tasks", "--burst", "--shutdown-timeout", "0.2")
    with WorkerProcess(tmp_path, *options) as process:
        assert process.exit_code() == 0

    assert "Not waiting any longer for threads: left" in process.log


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (
            "refusal = refusing_threads('jobqueue-metrics'); refusal.__enter__()",
            "can't serve metrics at",
        ),
        ("parent_watch._thread.start_new_thread = refuse", "to watch the supervisor"),
        ("socket.socketpair = refuse", "no socket can be opened"),
    ],
    ids=["metrics", "watch", "signals"],
)
def test_command_that_has_no_thread(refusal: str, reason: str) -> None:
    """It says in one line what it can't start."""
    script = (
        "import sys\n"
        "from jobqueue.worker.__main__ import main\n"
        "from jobqueue.worker.processes import parent_watch\n"
        "from tests.helpers.refused_threads import refusing_threads\n"
        "import socket\n"
        "def refuse(*_):\n"
        "    error = OSError if socket.socketpair is refuse else RuntimeError\n"
        '    raise error(24, "can\'t start new thread")\n'
        f"{refusal}\n"
        "main(['--import', 'tasks', *sys.argv[1:]])\n"
    )
    options = ["--metrics-port", "65000"] if "metrics" in refusal else []
    done = subprocess.run(
        [sys.executable, "-c", script, *options],
        capture_output=True,
        text=True,
        check=False,
    )

    (line,) = done.stderr.splitlines()
    assert reason in line
    assert "can't start new thread" in line
    assert done.returncode == 2


FAILING = """
import resource, time
from jobqueue import JobQueue
from jobqueue.job import note  # what the first failure imports takes memory

queue = JobQueue()
everything = resource.getrlimit(resource.RLIMIT_AS)

@queue.task("t")
def fail():
    pages = int(open("/proc/self/statm").read().split()[0])
    with_no_stack = pages * resource.getpagesize() + 2**21
    resource.setrlimit(resource.RLIMIT_AS, (with_no_stack, everything[1]))
    raise ValueError("no")

@queue.task("t", time_limit=0.1)
def spin():
    resource.setrlimit(resource.RLIMIT_AS, everything)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_limit_after_a_failure_without_a_thread(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread for the note of a failure could not be started by the slot."""
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    write_module(tmp_path, "tasks", FAILING)
    for name in (b"fail", b"spin"):
        broker.put(b'{"func_name": "%b", "tube": "t", "kwargs": {}}' % name)

    with WorkerProcess(tmp_path, "--import", "tasks", "--burst") as process:
        assert process.exit_code() == 0

    assert "TimeLimitExceeded: it ran for longer than 0.1 s" in process.log
