"""Jobs past their time to run, on a broker that is busy and one that is quiet.

beanstalkd up to 1.13 takes a deadline that falls on the very microsecond for one that
is still to come, and then never looks at it again. A busy broker polls without sleeping
in the last millisecond, so it hits that microsecond nearly always; a broker that has
slept for a second hits it nearly never.
"""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.helpers.raw_client import RawClient
from tests.helpers.servers import Beanstalkd, eventually, require_beanstalkd
from tests.helpers.terminal import json_lines, operate

ATTEMPTS = 8  # on a loaded machine, the broker may wake up late, and forget nothing
FORGETFUL = r"1\.([0-9]|1[0-3])\b"  # versions


@pytest.fixture(autouse=True)
def _is_installed() -> None:
    require_beanstalkd()


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
    """Yield a job that a silent connection holds for a second more than its ttr."""
    with RawClient(broker.target) as frozen, RawClient(broker.target) as client:
        client.ask(b"use t")
        job_id = int(client.ask(b"put 0 0 1 2\r\nhi").split()[1])
        frozen.asks(b"watch t", b"reserve-job %d" % job_id)
        time.sleep(2.1)
        yield job_id


def state(broker: Beanstalkd, job_id: int) -> tuple[str, int, int]:
    """Return a job's state, its timeouts, and whether its time left is below 0."""
    stats = broker.stats_job(job_id)
    return stats["state"], stats["timeouts"], stats["time-left"] < 0


def test_quiet_broker(broker: Beanstalkd) -> None:
    """The job is ready again when its time to run is over."""
    found = []
    for _ in range(ATTEMPTS):
        with held(broker) as job_id:
            found.append(state(broker, job_id))
        if found[-1] == ("ready", 1, False):
            break

    assert found[-1] == ("ready", 1, False)


def test_busy_broker(broker: Beanstalkd) -> None:
    """The job stays reserved, and list and show say so; the worker's end frees it."""
    if not re.match(FORGETFUL, broker.version()):
        pytest.skip("this beanstalkd forgets no time to run")
    for _ in range(ATTEMPTS):
        with busy(broker), held(broker) as job_id:
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
