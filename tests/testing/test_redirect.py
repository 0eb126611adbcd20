"""Puts and workers of a process are redirected, and go back when the blocks end."""

import asyncio
import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobqueue import BrokerUnreachableError, JobQueue, Worker
from jobqueue.broker.pool import ConnectionPool
from jobqueue.broker.redirection import Redirection
from jobqueue.testing import beanstalkd, eager, run_jobs
from jobqueue.testing.redirect import redirected_to
from tests.helpers.connections import client_of


def test_puts(queue: JobQueue) -> None:
    """Puts go to the private broker, whatever the URL of their queue."""

    @queue.task("t")
    def work(n: int) -> None: ...

    with beanstalkd() as url:
        assert work.put(1) == 1
        assert work.put_many([{"n": 2}]) == [2]
        assert asyncio.run(work.aput(3)) == 3
        with client_of(url) as looking:
            assert looking.stats_tube("t")["current-jobs-ready"] == 3
    with pytest.raises(BrokerUnreachableError):
        work.put(1)


def test_workers(queue: JobQueue) -> None:
    """Workers take jobs from the private broker, whatever the URL of the queue."""
    ran = []

    @queue.task("t")
    def work() -> None:
        ran.append(1)

    with beanstalkd():
        work.put()
        with eager():  # it has no broker, and changes nothing for workers
            Worker(burst=True).run()
    assert ran == [1]


def test_overlapping_blocks(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks may end in another order than they began."""

    @queue.task("t")
    def work() -> None: ...

    monkeypatch.setenv("BEANSTALKD_URL", "unix:///nowhere")
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    first.enter_context(beanstalkd())
    url = second.enter_context(beanstalkd())
    first.close()

    assert work.put() == 1
    assert os.environ["BEANSTALKD_URL"] == url
    second.close()
    assert os.environ["BEANSTALKD_URL"] == "unix:///nowhere"
    with pytest.raises(BrokerUnreachableError):
        work.put()


def test_blocks_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the blocks of many threads have ended, nothing is redirected any more."""
    monkeypatch.setenv("BEANSTALKD_URL", "unix:///outside")

    def redirect(number: int) -> None:
        pool = ConnectionPool(f"unix:///{number}")
        for _ in range(100):
            with redirected_to(pool, f"unix:///{number}"):
                assert Redirection.destination is not None
                assert Redirection.url != "unix:///outside"

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(redirect, range(8)))

    assert Redirection.destination is None
    assert Redirection.url is None
    assert os.environ["BEANSTALKD_URL"] == "unix:///outside"


def test_innermost_block_counts(queue: JobQueue) -> None:
    ran = []

    @queue.task("t")
    def work(n: int) -> None:
        ran.append(n)

    with beanstalkd() as url:
        work.put(1)
        with eager():
            work.put(2)
        work.put(3)
        run_jobs(url)

    assert ran == [2, 1, 3]


def test_no_unittest() -> None:
    """Nothing is patched: importing jobqueue.testing imports no unittest."""
    script = (
        "import sys, jobqueue.testing;"
        "print([name for name in sys.modules if name.startswith('unittest')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
