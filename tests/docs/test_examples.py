import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import EXAMPLES
from tests.helpers.servers import Beanstalkd


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=EXAMPLES,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_quickstart(broker: Beanstalkd) -> None:
    done = run("quickstart.py", BEANSTALKD_URL=broker.url)

    assert done.stdout.splitlines() == [
        "put job 1: greet(name='Ada')",
        "put job 2: add(a=1, b=2)",
        "put job 3: add(a=41)",
        "start a worker: python -m jobqueue.worker --import quickstart --burst",
        "  Hello, Ada!",
        "  1 + 2 = 3",
        "  41 + 1 = 42",
        "all done",
    ], done.stderr
    assert (done.returncode, done.stderr) == (0, "")
    assert broker.counts("quickstart") == {}


def test_quickstart_without_broker() -> None:
    # As if nothing listened on port 11300: what may listen there is not the test's.
    script = (
        "import local_broker, quickstart;"
        "local_broker.is_port_open = lambda: False;"
        "quickstart.main()"
    )
    done = run("-c", script)

    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first == (
        "no beanstalkd on port 11300: the development server takes its place"
    )
    assert last == "all done"


def test_quickstart_without_jobqueue(tmp_path: Path) -> None:
    missing = f"unix://{tmp_path}/nowhere.sock"

    done = run("quickstart.py", BEANSTALKD_URL=missing)

    assert done.returncode == 1
    assert done.stderr.startswith(f"beanstalkd at {missing} can't be reached")
    assert len(done.stderr.splitlines()) == 1


def test_crawler(broker: Beanstalkd) -> None:
    done = run("-m", "crawler", BEANSTALKD_URL=broker.url)

    _, _, count, *pages = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert count == "5 pages:"
    assert [page.split("/", 3)[3] for page in pages] == [
        "",
        "beans",
        "beans/magic",
        "stalks",
        "stalks/high?in=the&sky=1",
    ]
    assert broker.counts("fetch") == {}
    assert broker.counts("parse") == {}


@pytest.mark.thorough
def test_newsletter() -> None:
    done = run("-m", "pytest", "-q", "newsletter")

    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("5 passed")


@pytest.mark.thorough
def test_bakery() -> None:
    done = run("-m", "pytest", "-q", "bakery")

    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("7 passed")


def test_job_status(broker: Beanstalkd) -> None:
    """It tells a user why a job failed."""
    worker = ("-m", "jobqueue.worker", "--import", "job_status", "--burst")
    script = (
        "from job_status import *; print(build_report.put(0), status(1)); "
        f"import subprocess; subprocess.call([sys.executable, *{worker}], stderr=-3); "
        "print(status(1)); print(*most_frequent_failures(1)); "
        "print(cancel(1), status(1))"
    )

    done = run("-c", script, BEANSTALKD_URL=broker.url)

    waiting, failed, frequent, cancelled = done.stdout.splitlines()
    assert waiting == "1 waiting"
    assert failed == "failed, because a report needs pages"
    assert frequent.startswith("1 times ValueError in build_report, last at ")
    assert cancelled == "True done"
