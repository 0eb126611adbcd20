"""Worker processes that freeze, fork, run out of files, or are five hundred."""

import ast
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import jobqueue
from jobqueue import JobQueue, Worker
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, oversleep
from tests.helpers.worker_process import WorkerProcess, copy_app, write_module


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_app("faulty", tmp_path)
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    return tmp_path


def put(app: Path, *expressions: str) -> None:
    script = "from tasks import *; " + "; ".join(expressions)
    subprocess.run([sys.executable, "-c", script], cwd=app, check=True)


def with_few_files(count: int) -> tuple[str, ...]:
    return "sh", "-c", f'ulimit -n {count}; exec "$@"', "sh"


def ran(log: str) -> Counter[int]:
    return Counter(map(int, re.findall(r"^ran (\d+)", log, re.MULTILINE)))


def test_500_slots(app: Path, broker: Beanstalkd) -> None:
    """They run each job once."""
    shape = "--processes=5", "--threads=100"
    with WorkerProcess(app, "--import=tasks", *shape) as worker:
        eventually(lambda: broker.waiting("t"), 500, within=3 * DEADLINE)
        put(app, "work.put_many({'n': n} for n in range(2000))")
        eventually(lambda: broker.counts("t"), {}, within=3 * DEADLINE)
        worker.signal(signal.SIGTERM)
        assert worker.exit_code(3 * DEADLINE) == 0

    assert ran(worker.log) == dict.fromkeys(range(2000), 1)


def test_slots_without_descriptors(app: Path, broker: Beanstalkd) -> None:
    """They wait, and the other slots work."""
    put(app, "work.put_many({'n': n} for n in range(100))")
    few = with_few_files(24)
    with WorkerProcess(app, "--import=tasks", "--threads=40", wrapped_in=few) as worker:
        worker.says("Too many open files")
        eventually(lambda: broker.counts("t"), {})
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0

    assert ran(worker.log) == dict.fromkeys(range(100), 1)


def test_task_leaks_descriptors(app: Path, broker: Beanstalkd) -> None:
    """The job is buried, and the worker goes on."""
    put(app, "leaks.put()", "work.put(n=1)")
    few = with_few_files(64)
    with WorkerProcess(app, "--import=tasks", wrapped_in=few) as worker:
        worker.says("ran 1")
        eventually(lambda: broker.counts("t"), {"buried": 1})

    assert "Too many open files" in worker.log


def test_producer_without_descriptors(app: Path, broker: Beanstalkd) -> None:
    """The put raises, and works once there are some."""
    script = """
import resource
from jobqueue import BrokerUnreachableError
from tasks import *
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))
try:
    work.put(n=1)
except BrokerUnreachableError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
work.put(n=2)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=app, capture_output=True, check=True
    )

    assert b"(Too many open files)" in done.stdout
    assert broker.counts("t") == {"ready": 1}


def test_frozen_past_the_ttr(app: Path, broker: Beanstalkd) -> None:
    """Another worker takes the job, and the thawed one takes no job from it.

    The broker notices that the time is over: see test_time_to_run.py.
    """
    with WorkerProcess(app, "--import=tasks") as frozen:
        eventually(lambda: broker.waiting("t"), 1)
        put(app, "freezes.put()")
        frozen.says("begins")
        frozen.signal_all(signal.SIGSTOP)
        oversleep(broker, seconds=2.5)
        eventually(lambda: broker.counts("t"), {"ready": 1})
        with WorkerProcess(app, "--import=tasks") as other:
            other.says("begins")
            frozen.signal_all(signal.SIGCONT)
            put(app, "work.put(n=1)")
            eventually(lambda: broker.counts("t"), {})
            eventually(lambda: broker.waiting("t"), 2)
            for worker in (frozen, other):
                worker.signal(signal.SIGTERM)
                assert worker.exit_code() == 0

    assert frozen.log.count("begins") == other.log.count("begins") == 1
    assert ran(frozen.log + other.log) == {1: 1}


@pytest.mark.parametrize("how", ["subprocess", "fork"])
def test_child_with_the_socket(app: Path, broker: Beanstalkd, how: str) -> None:
    """A child with a copy of the socket holds the job no longer than it lives."""
    put(app, f"forks.put(how={how!r})")
    with WorkerProcess(app, "--import=tasks", new_group=True) as worker:
        worker.says("forked")
        (working,) = worker.children()
        (child,) = map(int, re.findall(r"forked (\d+)", worker.log))
        worker.process.kill()
        worker.process.wait()
        kill(working)
        if how == "fork":
            assert broker.counts("t") == {"reserved": 1}
            kill(child)
        eventually(lambda: broker.counts("t"), {"ready": 1})
        if how == "subprocess":
            kill(child)


def kill(pid: int) -> None:
    subprocess.run(["kill", "-KILL", str(pid)], check=True)


def test_many_waiting_jobs(
    broker: Beanstalkd, queue: JobQueue, request: pytest.FixtureRequest
) -> None:
    is_long = request.config.getoption("faults") == "long"
    many = 1_000_000 if is_long else 30_000
    found = []

    @queue.task("t")
    def work(n: int) -> None:
        found.append(n)

    work.put_many({"n": n} for n in range(many))
    urgent = queue.task("t", priority=0)(work.__wrapped__)
    urgent.put(n=many)
    Worker(max_jobs=500).run()

    assert found == [many, *range(499)]
    assert broker.counts("t") == {"ready": many - 499}


LOOK_AT_A_CALENDAR = {
    "operating/formatting.py",  # for how long ago a job failed
    "admin/session.py",  # for --since
    "broker/put_options.py",  # for a job's `at`
    "operating/schedules.py",  # for when a schedule is due
    "web/looked.py",  # for --since, again
    "worker/metrics.py",  # for how late schedules are
    "worker/reporting/done_records.py",  # for the time of a log line
    "worker/reporting/log_format.py",  # the same
    "worker/slots/failure_notes.py",  # for when a job failed
}
MODULES = {"time", "datetime", "date"}
CLOCKS_THAT_JUMP = {"time", "time_ns", "localtime", "gmtime", "now", "utcnow", "today"}


def test_monotonic_clock() -> None:
    """No duration is measured by a clock that can be set."""
    package = Path(jobqueue.__file__).parent
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in MODULES
        and node.func.attr in CLOCKS_THAT_JUMP
    }

    assert found == LOOK_AT_A_CALENDAR


JUMPING = """
import random, time

def jump():
    return random.uniform(-1e9, 1e10)

time.time = jump
time.time_ns = lambda: int(jump() * 1e9)
"""


def test_jumping_clock(app: Path, broker: Beanstalkd) -> None:
    write_module(app, "jumping", JUMPING)
    put(app, "work.put_many({'n': n} for n in range(20))", "freezes.put()")
    imports = "--import=jumping", "--import=tasks"
    limits = "--time-limit=60", "--threads=2", "--log-format=json"
    with WorkerProcess(app, *imports, *limits) as worker:
        eventually(lambda: broker.counts("t"), {})
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0

    assert ran(worker.log) == dict.fromkeys(range(20), 1)
    assert worker.log.count("begins in") == 1
