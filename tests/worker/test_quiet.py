"""A quiet worker: it takes no more jobs, and stays until it is stopped."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from jobqueue import JobQueue, Worker
from jobqueue.worker.metrics import WorkerMetrics
from tests.helpers.servers import Beanstalkd, eventually, eventually_true, free_port
from tests.helpers.terminal import operate_json
from tests.helpers.worker_process import WorkerProcess, write_module
from tests.helpers.worker_thread import working

TASKS = """
import os, time
from pathlib import Path
from jobqueue import JobQueue

queue = JobQueue()

@queue.task("t")
def work(n, wait=False):
    print("begun", n, flush=True)
    while wait and not Path("go-on").exists():
        time.sleep(0.01)

@queue.task("t")
def crash(): os._exit(3)
"""
SCHEDULE = """
@queue.task("t", every=1)
def tick(): ...
"""
QUIET = signal.SIGUSR1


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    write_module(tmp_path, "tasks", TASKS)
    return tmp_path


def put(broker: Beanstalkd, arguments: str, func_name: str = "work") -> None:
    body = f'{{"func_name":"{func_name}","tube":"t","kwargs":{{{arguments}}}}}'
    broker.put(body.encode())


def quieten(worker: WorkerProcess, processes: int = 1) -> None:
    worker.signal(QUIET)
    eventually(lambda: worker.log.count("Quiet: takes no more jobs"), processes)


EARLY = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "jobqueue.worker.__main__":
            os.kill(os.getpid(), signal.SIGUSR1)

sys.meta_path.insert(0, Finder())
from jobqueue.__main__ import main
sys.exit(main(["worker", "--import", "tasks"]))
"""


def test_signal_during_the_start(app: Path) -> None:
    """It does not end the worker, and is obeyed once that has its handlers."""
    command = [sys.executable, "-c", EARLY]
    with subprocess.Popen(command, cwd=app, stderr=subprocess.PIPE, text=True) as done:
        assert done.stderr
        for line in done.stderr:
            if "Quiet: takes no more jobs" in line:
                break
        done.terminate()
        done.communicate(timeout=20)
    assert done.returncode == 0


def test_running_job_is_finished(app: Path, broker: Beanstalkd) -> None:
    """It is touched meanwhile; no other is taken; and SIGTERM ends the worker."""
    put(broker, '"n": 1, "wait": true')
    with WorkerProcess(app, "--import", "tasks") as worker:
        worker.says("begun 1")
        quieten(worker)
        assert "Quiet: takes no more jobs, and finishes job 1: SIGUSR1" in worker.log
        put(broker, '"n": 2')
        (app / "go-on").touch()
        worker.says("Job 1 done")
        eventually(broker.connections, 0)
        worker.signal(QUIET)  # again: it changes nothing
        assert broker.counts("t") == {"ready": 1}
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0
    assert worker.log.endswith("INFO Worker stopped\n")
    assert "begun 2" not in worker.log


def test_stop_while_a_job_runs(app: Path, broker: Beanstalkd) -> None:
    put(broker, '"n": 1, "wait": true')
    with WorkerProcess(app, "--import", "tasks", "--threads=2") as worker:
        worker.says("begun 1")
        quieten(worker)
        worker.signal(signal.SIGTERM)
        worker.says("Stopping, as soon as job 1 is finished: SIGTERM")
        (app / "go-on").touch()
        assert worker.exit_code() == 0
    assert broker.counts("t") == {}


def test_several_processes(app: Path, broker: Beanstalkd) -> None:
    """All are quiet, and so is one that takes the place of another."""
    with WorkerProcess(app, "--import", "tasks", "--processes=2") as worker:
        eventually(lambda: broker.waiting("t"), 2)
        quieten(worker, processes=2)
        eventually(broker.connections, 0)
        put(broker, '"n": 1')
        os.kill(worker.children()[0], signal.SIGKILL)
        worker.says("Quiet: takes no more jobs: its supervisor is")
        assert broker.counts("t") == {"ready": 1}
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0
    assert broker.counts("t") == {"ready": 1}


def test_signal_at_the_very_start(app: Path, broker: Beanstalkd) -> None:
    """A process that imports its tasks is quiet as soon as it has them."""
    waiting = "import time\nfrom pathlib import Path\nprint('importing', flush=True)\n"
    waiting += "while not Path('go-on').exists(): time.sleep(0.01)\n"
    write_module(app, "tasks", waiting + TASKS)
    put(broker, '"n": 1')
    with WorkerProcess(app, "--import", "tasks") as worker:
        worker.says("importing")
        worker.signal(QUIET)
        (app / "go-on").touch()
        worker.says("Quiet: takes no more jobs: its supervisor is")
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0
    assert broker.counts("t") == {"ready": 1}


def test_replaced_after_max_jobs(app: Path, broker: Beanstalkd) -> None:
    """The process ends with its last job, and the next one is quiet."""
    put(broker, '"n": 1, "wait": true')
    put(broker, '"n": 2')
    with WorkerProcess(app, "--import", "tasks", "--max-jobs=1") as worker:
        worker.says("begun 1")
        quieten(worker)
        (app / "go-on").touch()
        worker.says("Quiet: takes no more jobs: its supervisor is")
        assert broker.counts("t") == {"ready": 1}
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0


def test_schedules(app: Path, broker: Beanstalkd) -> None:
    """A quiet worker keeps none: `schedules` doesn't count it, and another has them."""
    write_module(app, "tasks", TASKS + SCHEDULE)
    with WorkerProcess(app, "--import", "tasks") as worker:
        worker.says("Job ")
        quieten(worker)
        eventually(broker.connections, 0)
        (schedule,) = operate_json(broker, "schedules")["schedules"]
        assert schedule["workers"] == 0
        with WorkerProcess(app, "--import", "tasks") as other:
            other.says("Job ")
        assert f"put job {schedule['last_job'] + 1}" not in worker.log


def test_handler_of_the_application(app: Path, broker: Beanstalkd) -> None:
    """It is left alone; the signal does no harm."""
    own = "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('own', "
    write_module(app, "tasks", f"{own}flush=True))\n{TASKS}")
    with WorkerProcess(app, "--import", "tasks") as worker:
        eventually(lambda: broker.waiting("t"), 1)
        os.kill(worker.children()[0], QUIET)
        worker.says("own")
        put(broker, '"n": 1')
        worker.says("begun 1")


def test_embedded_worker(queue: JobQueue, broker: Beanstalkd) -> None:
    go_on = threading.Event()
    begun = []

    @queue.task("t")
    def work(n: int) -> None:
        begun.append(n)
        assert go_on.wait(20)

    worker = Worker()
    metrics = WorkerMetrics.of(worker)
    work.put(1)
    with working(worker):
        eventually(lambda: begun, [1])
        assert quiet_processes(metrics) == 0
        worker.quiet()
        work.put(2)
        eventually(lambda: quiet_processes(metrics), 1)
        go_on.set()
        eventually(broker.connections, 1)  # that of the puts

    assert broker.counts("t") == {"ready": 1}


def test_stop_of_a_worker_that_was_quiet_from_the_first(queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None: ...

    worker = Worker()
    worker.quiet()
    with working(worker):
        eventually_true(lambda: worker.manager.status_board.is_quiet)


def quiet_processes(metrics: WorkerMetrics) -> float:
    found = {metric.name: metric.samples for metric in metrics.collect()}
    return found["jobqueue_processes_quiet"][0].value


def test_health_and_metrics(app: Path, broker: Beanstalkd) -> None:
    """A quiet worker is alive, and not ready; its metrics say that it is quiet."""
    port = free_port()
    arguments = ("--processes=2", "--metrics-port", str(port))

    def ask(path: str) -> str:
        with suppress(OSError):
            connection = HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        return ""

    with WorkerProcess(app, "--import", "tasks", *arguments) as worker:
        eventually(lambda: broker.waiting("t"), 2)
        assert "jobqueue_processes_quiet 0.0" in ask("/metrics")
        worker.signal(QUIET)
        eventually(broker.connections, 0)
        assert "jobqueue_processes_quiet 2.0" in ask("/metrics")
        assert ask("/healthz") == "ok\n"
        assert ask("/readyz").startswith("not ready: process 1 takes no more jobs; ")
