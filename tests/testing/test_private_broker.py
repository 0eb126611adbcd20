"""The private broker of a test."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jobqueue import BrokerUnreachableError, JobQueue
from jobqueue.testing import beanstalkd, run_jobs
from tests.helpers.connections import client_of
from tests.helpers.servers import eventually, require_beanstalkd


def test_fresh_and_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each private broker is empty, and $BEANSTALKD_URL names it while it runs."""

    @JobQueue.task("t")
    def work() -> None: ...

    monkeypatch.setenv("BEANSTALKD_URL", "unix:///nowhere")
    for _ in range(2):
        with beanstalkd() as url:
            assert os.environ["BEANSTALKD_URL"] == url
            assert work.put() == 1
        assert os.environ["BEANSTALKD_URL"] == "unix:///nowhere"

    monkeypatch.delenv("BEANSTALKD_URL")
    with beanstalkd():
        pass
    assert "BEANSTALKD_URL" not in os.environ


def test_development_server(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without beanstalkd on the PATH, the development server is the broker."""
    ran = []

    @queue.task("t")
    def work() -> None:
        ran.append(1)

    monkeypatch.setenv("PATH", str(tmp_path))
    with beanstalkd() as url:
        work.put()
        with client_of(url) as looking:
            assert "jobqueue" in str(looking.stats()["version"])
        run_jobs(url)

    assert ran == [1]


def test_failing_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A beanstalkd that does not start is named in the error."""
    program = tmp_path / "beanstalkd"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BrokerUnreachableError, match=f"{program}.* did not start"):
        contextlib.ExitStack().enter_context(beanstalkd())


def test_ends_with_the_process() -> None:
    """The broker ends with the process that started it, even if that is killed."""
    require_beanstalkd()
    script = (
        "import time\n"
        "from jobqueue.testing import beanstalkd\n"
        "with beanstalkd() as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        path = process.stdout.readline().strip().removeprefix("unix://")
        process.kill()

    def is_answered() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(path) == 0

    eventually(is_answered, expected=False)
