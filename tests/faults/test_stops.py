"""Stops at random moments, under jobs of a millisecond each."""

import logging
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import greenstalk
import pytest

from jobqueue.worker.processes.signals import STOP_SIGNALS
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.worker_process import WorkerProcess, copy_app

STOPS = {"short": 6, "long": 200}
PROCESSES = 2
JOBS = 2000  # ready at each start: more than run until the stop
SLOWEST = 0.5  # seconds, from the first job to the stop

logger = logging.getLogger(__name__)

LINE = re.compile(r"\[(\d+)\] (begins \d+|ends \d+|Stopping.*|Job \d+ done.*)")


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_app("stops", tmp_path)
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    return tmp_path


@pytest.fixture
def stops(request: pytest.FixtureRequest) -> int:
    return STOPS[request.config.getoption("faults")]


def test_stops_at_random_moments(app: Path, broker: Beanstalkd, stops: int) -> None:
    """A stopping process begins only a job that was sent to it already, and logs it.

    No job is lost, and none runs twice.
    """
    seed = random.randrange(2**32)
    logger.info("The seed is %d", seed)
    chance = random.Random(seed)
    ran: Counter[int] = Counter()
    late = put_in_all = 0
    for _ in range(stops):
        missing = JOBS - broker.counts("t").get("ready", 0)
        put(app, missing)
        put_in_all += missing
        log = log_of_a_stop(app, chance)
        ran.update(jobs_that(log, "ends"))
        late += check_late_jobs(log)
        assert reserves_of_first_ready(broker) == 0  # else one was lost with its worker
    logger.info("%d jobs were on their way when their process stopped", late)

    log = log_of_a_burst(app)
    ran.update(jobs_that(log, "ends"))
    assert broker.counts("t") == {}
    assert len(ran) == put_in_all
    assert set(ran.values()) == {1}


def put(app: Path, count: int) -> None:
    script = f"import tasks; tasks.work.put_many([{{}}] * {count})"
    subprocess.run([sys.executable, "-c", script], cwd=app, check=True)


def log_of_a_stop(app: Path, chance: random.Random) -> str:
    """Start a worker, stop it at a random moment, and return its log."""
    signum = chance.choice(STOP_SIGNALS)
    is_to_group = chance.random() < 0.5
    options = ("--import=tasks", f"--processes={PROCESSES}")
    with WorkerProcess(app, *options, new_group=True) as worker:
        eventually_true(lambda: "ends" in worker.log)
        time.sleep(chance.uniform(0, SLOWEST))
        if is_to_group:
            worker.signal_group(signum)
        else:
            worker.signal(signum)
        assert worker.exit_code() == 0
        assert worker.running_pids() == []
        assert "ERROR" not in worker.log
        assert "WARNING" not in worker.log
        return worker.log


def log_of_a_burst(app: Path) -> str:
    """Run all jobs that are left, and return the log."""
    options = ("--import=tasks", "--processes=2", "--threads=4", "--burst")
    with WorkerProcess(app, *options) as worker:
        assert worker.exit_code(600) == 0
        return worker.log


def jobs_that(log: str, what: str) -> Iterator[int]:
    return (int(job_id) for job_id in re.findall(rf"\] {what} (\d+)", log))


def check_late_jobs(log: str) -> int:
    """Check the jobs that began after "Stopping", and return how many they are."""
    by_process: dict[str, list[str]] = {}
    for pid, text in LINE.findall(log):
        by_process.setdefault(pid, []).append(text)
    late = 0
    for lines in by_process.values():
        is_stop = [line.startswith("Stopping") for line in lines]
        if True not in is_stop:
            continue  # the supervisor, or a process that had just begun to start
        after = lines[is_stop.index(True) :]
        ids = [line.split()[1] for line in after if line.startswith("begins")]
        assert len(ids) <= 1  # a slot has one connection, and that brings one job
        for job_id in ids:
            is_named = any(re.search(rf"\bjob {job_id}\b", line) for line in after)
            assert is_named or any(f"Job {job_id} done" in line for line in after)
        late += len(ids)
    return late


def reserves_of_first_ready(broker: Beanstalkd) -> int:
    """Return how often the job was reserved that is next: it would be one come back."""
    with broker.client("t") as client:
        try:
            return client.stats_job(client.peek_ready())["reserves"]
        except greenstalk.NotFoundError:
            return 0
