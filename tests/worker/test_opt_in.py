"""What is opt-in: what jobs may carry, by real processes; all others pay nothing."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from jobqueue import JobQueue, Worker
from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    eventually_true,
    require_beanstalkd,
)
from tests.helpers.terminal import operate_in_a_process
from tests.helpers.worker_process import WorkerProcess, write_module
from tests.helpers.worker_thread import with_timings

SECRET = "0123456789abcdef"
TASKS = """
from jobqueue import JobQueue, current_job

queue = JobQueue()

@queue.before_put
def pass_on(job):
    job.headers["request-id"] = "4f1c"

@queue.task("t", max_age=1)
def greet(name):
    print("greet", name, current_job().headers, flush=True)

@queue.task("t", name=["mail.send", "send_mail"])
def send():
    print(current_job().func_name, current_job().headers, flush=True)
"""
PUT = """
from tasks import greet

greet.put("Ada")
greet.options(max_age=1000, headers={"tenant": "acme"}).put("Alan")
"""


@pytest.mark.thorough
def test_what_jobs_carry(
    tmp_path: Path, socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It outlives the broker's restart, signed; the broker itself keeps the age."""
    require_beanstalkd()
    write_module(tmp_path, "tasks", TASKS)
    (tmp_path / "binlog").mkdir()
    options = "-b", str(tmp_path / "binlog"), "-f", "0"
    with Beanstalkd(socket_folder / "b.sock", *options) as broker:
        monkeypatch.setenv("BEANSTALKD_URL", broker.url)
        monkeypatch.setenv("JOBQUEUE_SECRET", SECRET)
        subprocess.run([sys.executable, "-c", PUT], cwd=tmp_path, check=True)
        assert operate_in_a_process(broker, "put", "t", "send_mail").stdout
        eventually_true(lambda: int(broker.stats_job(1)["age"]) >= 2)
        broker.kill()
        broker.start()

        with WorkerProcess(tmp_path, "--import", "tasks") as worker:
            worker.says("Job 1 expired and is deleted: greet (tube t) is ")
            worker.says("greet Alan {'tenant': 'acme', 'request-id': '4f1c'}")
            worker.says("mail.send {}")
            eventually(lambda: broker.counts("t"), {})
        assert "greet Ada" not in worker.log


def commands(broker: Beanstalkd) -> Counter[str]:
    with broker.client() as client:
        return Counter(
            {
                name.removeprefix("cmd-"): int(str(count))
                for name, count in client.stats().items()
                if name.startswith("cmd-")
            }
        )


def test_plain_jobs(broker: Beanstalkd, queue: JobQueue) -> None:
    """Of one that uses nothing of it the broker hears three commands."""

    @queue.task("t")
    def work() -> None: ...

    before = commands(broker)
    for _ in range(20):
        work.put()
    worker = Worker(["t"], burst=True)
    with_timings(worker, wary_for=-1, wary_without_proof_for=-1).run()

    asked = commands(broker) - before
    once = {"use": 1, "watch": 1, "ignore": 1, "stats": 1, "stats-job": 1}
    jobs = {"put": 20, "reserve-with-timeout": 21, "delete": 20}
    assert asked == once | jobs
