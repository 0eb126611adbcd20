"""The pages guide/schedules, guide/stopping and operating/health, on a real worker."""

import re
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.helpers.pages import blocks
from tests.helpers.printed_commands import commands, sh
from tests.helpers.servers import Beanstalkd, eventually, free_port
from tests.helpers.worker_process import WorkerProcess, write_module

pytest.importorskip("cronsim")


def settled(table: str) -> list[str]:
    """Return the lines without what differs from run to run: the times and after."""
    lines = [
        re.sub(r"\d{4}-\d\d-\d\d .*", "TIME ...", line) for line in table.splitlines()
    ]
    return [re.sub(r" +", " ", line) for line in lines]


def test_pages(tmp_path: Path, broker: Beanstalkd) -> None:
    """The schedules are shown and run, the probe says ok, and SIGUSR1 makes quiet."""
    tasks = blocks("guide/schedules", "python")[0]
    queue = "from jobqueue import JobQueue\nqueue = JobQueue()\n"
    write_module(tmp_path, "app.tasks", queue + tasks.replace("poll_inbox.put()", ""))
    show, run = commands(*blocks("guide/schedules", "console"))
    (quiet,) = blocks("guide/stopping", "text")
    (health,) = blocks("operating/health", "text")
    port = free_port()
    arguments = health.splitlines()[0].removeprefix("jobqueue worker ")
    arguments = arguments.removesuffix(" &")
    arguments = arguments.replace("8081", str(port))

    with WorkerProcess(
        tmp_path, *arguments.split(), BEANSTALKD_URL=broker.url
    ) as worker:
        worker.says("Worker started")
        _, url, expected = health.split("\n", 2)[2].replace("\n", " ").split()
        with urllib.request.urlopen(url.replace("8081", str(port))) as reply:
            assert reply.read().decode().strip() == expected

        eventually(
            lambda: settled(sh(show[0], broker, tmp_path).stdout), settled(show[1])
        )
        assert sh(run[0], broker, tmp_path).stdout.strip().isdecimal()
        worker.says("the report of None")  # it was put by hand

        worker.signal(signal.SIGUSR1)
        said = quiet.splitlines()[1].removeprefix("... INFO ")
        worker.says(said.partition(",")[0])
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0
