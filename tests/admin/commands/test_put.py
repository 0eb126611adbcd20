"""put: a job as a worker would get it from a program."""

import json
from pathlib import Path

import pytest

import jobqueue
from jobqueue import Worker
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    operate,
    operate_json,
)
from tests.helpers.worker_process import write_module


def test_arguments_are_json_or_strings(broker: Beanstalkd) -> None:
    given = ["n=1", "to=ada@example.org", "ids=[1, 2]", 'code="01"', "x=NaN", "empty="]
    options = ["--delay", 50, "--priority", 3, "--ttr", 9]

    done = operate(broker, "put", "t", "send", *given, *options)

    job_id = int(done.stdout)
    with broker.client() as client:
        job = json.loads(client.peek(job_id).body)
    assert job == {
        "func_name": "send",
        "tube": "t",
        "kwargs": {
            "n": 1,
            "to": "ada@example.org",
            "ids": [1, 2],
            "code": "01",
            "x": "NaN",
            "empty": "",
        },
    }
    stats = broker.stats_job(job_id)
    assert (stats["pri"], stats["delay"], stats["ttr"]) == (3, 50, 9)
    assert operate_json(broker, "put", "t", "send") == {"id": job_id + 1}


def test_a_worker_runs_it(broker: Beanstalkd) -> None:
    ran = []

    @jobqueue.JobQueue(broker.url).task("t")
    def send(to: str) -> None:
        ran.append(to)

    operate(broker, "put", "t", "send", "to=ada")
    Worker(url=broker.url, burst=True).run()

    assert ran == ["ada"]


def test_too_big_a_job(broker: Beanstalkd) -> None:
    done = operate(broker, "put", "t", "send", f"text={'x' * 70_000}")

    assert done.returncode == 1
    assert "is too big" in done.stderr
    assert len(done.stderr.splitlines()) == 1


TASKS = """
from jobqueue import JobQueue

queue = JobQueue(secret="0123456789abcdef")

@queue.task("t", delay=50, priority=3, ttr=9)
def send(to, subject="Hello"): ...
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that can be imported, once."""
    name = f"app_{tmp_path.name}"
    write_module(tmp_path, name, TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_of_a_task(broker: Beanstalkd, app: str) -> None:
    """The task's own options and secret count, unless the command line has others."""
    done = operate(broker, "put", "t", "send", "to=ada", "--import", app, "--ttr", 7)

    with broker.client() as client:
        job = json.loads(client.peek(int(done.stdout)).body)
    assert job["kwargs"] == {"to": "ada"}
    assert "signature" in job
    stats = broker.stats_job(1)
    assert (stats["pri"], stats["delay"], stats["ttr"]) == (3, 50, 7)


def test_of_a_task_to_another_broker(broker: Beanstalkd, app: str) -> None:
    """--url counts more than the URL of the task's queue."""
    elsewhere = Beanstalkd(1)  # not started

    done = operate(
        elsewhere, "put", "t", "send", "to=ada", "--import", app, "--url", broker.url
    )

    assert (done.stdout, done.stderr) == ("1\n", "")
    assert broker.counts("t") == {"delayed": 1}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("t send", "send() missing a required argument: 'to'"),
        ("t send to=ada too=ida", "send() got an unexpected keyword argument 'too'"),
        ("t sent to=ada", "tube 't' has no task 'sent' (its tasks: send)"),
        ("u send to=ada", "no task is registered in tube 'u' (known tubes: t)"),
        ("t send to=ada --import nope", "can't import nope: ModuleNotFoundError: "),
        ("t send to=ada --ttr 0", "ttr has to be"),
        ("--failed 1", "give either --failed ID, or a tube and a function"),
    ],
)
def test_wrong_job_of_a_task(
    broker: Beanstalkd, app: str, arguments: str, error: str
) -> None:
    """It is refused as by a put in code, in one line, and not put."""
    done = operate(broker, "put", *arguments.split(), "--import", app)

    assert done.returncode == 2
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert broker.counts("t") == {}
