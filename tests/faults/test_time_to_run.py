"""Jobs past their time to run, on a broker that is busy and one that slept.

beanstalkd up to 1.13 takes a deadline that falls on the very microsecond for one that
is still to come, and then never looks at it again. A busy broker polls without sleeping
in the last millisecond, so it hits that microsecond nearly always; one that has slept
for a second or more often wakes up too late to hit it.
"""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.machines import Machine, two_machines
from tests.helpers.raw_client import RawClient
from tests.helpers.servers import Beanstalkd, eventually, oversleep, require_beanstalkd
from tests.helpers.terminal import json_lines, operate
from tests.helpers.worker_process import WorkerProcess, write_module

ATTEMPTS = 8  # on a loaded machine, the broker may wake up late, and forget nothing


@pytest.fixture(autouse=True)
def _is_installed() -> None:
    require_beanstalkd()


def is_forgetful(broker: Beanstalkd) -> bool:
    return bool(re.match(r"1\.([0-9]|1[0-3])\b", broker.version()))


@contextmanager
def busy(broker: Beanstalkd) -> Iterator[None]:
    """Keep the broker busy with another client's commands."""
    is_over = threading.Event()

    def ask() -> None:
        with RawClient(broker.target) as client:
            while not is_over.wait(0.005):
                client.ask(b"list-tube-used")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def held(broker: Beanstalkd) -> Iterator[int]:
    """Yield a job of a ttr of 1 s that a silent connection has reserved."""
    with RawClient(broker.target) as frozen, RawClient(broker.target) as client:
        client.ask(b"use t")
        job_id = int(client.ask(b"put 0 0 1 2\r\nhi").split()[1])
        frozen.asks(b"watch t", b"reserve-job %d" % job_id)
        yield job_id


def state(broker: Beanstalkd, job_id: int) -> tuple[str, int, int]:
    """Return a job's state, its timeouts, and whether its time left is below 0."""
    stats = broker.stats_job(job_id)
    return stats["state"], stats["timeouts"], stats["time-left"] < 0


def test_broker_that_slept(broker: Beanstalkd) -> None:
    """The job is ready again when its time to run is over."""
    with held(broker) as job_id:
        oversleep(broker, seconds=1.5)
        assert state(broker, job_id) == ("ready", 1, False)


def test_busy_broker(broker: Beanstalkd) -> None:
    """The job stays reserved, and list and show say so; the worker's end frees it."""
    if not is_forgetful(broker):
        pytest.skip("this beanstalkd forgets no time to run")
    for _ in range(ATTEMPTS):
        with busy(broker), held(broker) as job_id:
            time.sleep(2.1)
            if state(broker, job_id) == ("ready", 1, False):
                continue
            assert state(broker, job_id) == ("reserved", 0, True)
            listed = operate(broker, "list", "t", "--state", "reserved")
            (values,) = json_lines(
                operate(broker, "list", "t", "--state", "reserved", "--json").stdout
            )
            shown = operate(broker, "show", job_id)
        eventually(lambda: state(broker, job_id), ("ready", 0, False))
        break
    else:
        pytest.fail("the broker has noticed each time that the time to run was over")

    assert re.search(r" reserved +\d+s +-[1-9]s ", listed.stdout)
    assert "\n\n1 job is past its ttr (LEFT is below 0), and still" in listed.stdout
    assert values["time_left"] < 0
    assert re.search(r"reserved \(past its ttr by \ds: its worker is ", shown.stdout)


def test_own_command_of_the_frozen_worker(broker: Beanstalkd) -> None:
    """A worker that thaws keeps the job that nobody else has taken."""
    with RawClient(broker.target) as worker, RawClient(broker.target) as client:
        client.ask(b"use t")
        client.ask(b"put 0 0 1 2\r\nhi")
        worker.asks(b"watch t", b"reserve")
        with busy(broker):
            time.sleep(2.1)
        was_forgotten = state(broker, 1) == ("reserved", 0, True)
        expected = b"TOUCHED\r\n" if was_forgotten else b"NOT_FOUND\r\n"
        assert worker.ask(b"touch 1") == expected


APP = """
import os, time
from jobqueue import JobQueue

queue = JobQueue()

@queue.task("t", max_lost=None)
def work(n):
    time.sleep(float(os.environ["SECONDS"]))
    print("ran", n, flush=True)
"""
JOBS = 8  # on a loaded machine, the broker may notice the end of some
TTRS = range(2, 6)  # seconds: the ends of their times are not at one moment


@contextmanager
def vanished_worker(folder: Path, near: Machine, far: Machine) -> Iterator[Beanstalkd]:
    """Yield a busy broker, with jobs of a worker whose machine has vanished."""
    write_module(folder, "tasks", APP)
    url = f"beanstalkd://{near.address}:11300"
    with Beanstalkd(11300, "-l", "0.0.0.0") as broker:
        with broker.client("t") as client:
            for n in range(JOBS):
                body = b'{"func_name":"work","tube":"t","kwargs":{"n":%d}}' % n
                client.put(body, ttr=TTRS[n % len(TTRS)])
        arguments = "--import=tasks", f"--threads={JOBS}"
        with (
            far.entered(),
            WorkerProcess(folder, *arguments, BEANSTALKD_URL=url, SECONDS="600"),
            near.entered(),
            busy(broker),
        ):
            eventually(lambda: broker.counts("t"), {"reserved": JOBS})
            far.unplug()
            yield broker


@pytest.mark.thorough
def test_vanished_machine(tmp_path: Path) -> None:
    """While the broker is busy, a vanished machine holds its jobs, past their ttr."""
    with (
        two_machines() as (near, far),
        near.entered(),
        vanished_worker(tmp_path, near, far) as broker,
        WorkerProcess(
            tmp_path, "--import=tasks", BEANSTALKD_URL=broker.url, SECONDS="0"
        ) as other,
    ):
        if not is_forgetful(broker):
            pytest.skip("this beanstalkd forgets no time to run")
        eventually(lambda: broker.waiting("t"), 1)
        time.sleep(max(TTRS) + 2)
        listed = operate(broker, "list", "t", "--json").stdout

    held = json_lines(listed)
    assert held
    assert all(job["time_left"] < 0 and job["timeouts"] == 0 for job in held)
    assert other.log.count("ran") == JOBS - len(held)


def test_vanished_machine_is_noticed(tmp_path: Path) -> None:
    """The settings of TCP of why/promises, on the broker's machine, free the jobs."""
    with two_machines() as (near, far), near.entered():
        near.set_tcp(keepalive_time=2, keepalive_intvl=1, keepalive_probes=2)
        near.set_tcp(retries2=3)  # the last reply may be on its way
        with (
            vanished_worker(tmp_path, near, far) as broker,
            WorkerProcess(
                tmp_path, "--import=tasks", BEANSTALKD_URL=broker.url, SECONDS="0"
            ) as other,
        ):
            eventually(lambda: broker.counts("t"), {})

    assert sorted(re.findall(r"ran (\d)", other.log)) == list(map(str, range(JOBS)))
