"""put: a job as a worker would get it from a program."""

import json

import jobqueue
from jobqueue import Worker
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    operate,
    operate_json,
)


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
