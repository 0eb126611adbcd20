"""The command schedules, and how all others keep ticks apart."""

import time

import pytest

from jobqueue import JobQueue, OptionError, TubeNameError
from jobqueue.job.note_tubes import tick_tube
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import operate, operate_json
from tests.helpers.ticks import put_tick

TUBE = tick_tube("reports", "nightly")


def test_none(broker: Beanstalkd) -> None:
    done = operate(broker, "schedules")

    assert done.returncode == 1
    assert "There is no schedule" in done.stderr


def test_table(broker: Beanstalkd) -> None:
    put_tick(broker, last_put=time.time() - 90, last_job=17)
    put_tick(broker, func_name="late", due=int(time.time()) - 61)

    with broker.client() as worker:
        worker.watch(TUBE)
        done = operate(broker, "schedules")

    assert done.returncode == 0
    title, first, second = done.stdout.splitlines()
    assert title.split() == ["SCHEDULE", "DUE", "NEXT", "IN", "LAST", "JOB", "WORKERS"]
    assert first.split()[0] == "reports/late"
    assert " -1m " in first
    assert first.split()[-1] == "0"
    assert second.startswith("reports/nightly  every 86400 s  ")
    assert second.split()[-3:] == ["1m", "17", "1"]
    assert "No worker has 1 of them" in done.stderr


def test_json(broker: Beanstalkd) -> None:
    tick_id = put_tick(broker, due=4_000_000_000)

    assert operate_json(broker, "schedules") == {
        "schedules": [
            {
                "name": "reports/nightly",
                "id": tick_id,
                "tube": "reports",
                "func_name": "nightly",
                "definition": "every 86400 s",
                "next_due": "2096-10-02T07:06:40+00:00",
                "late": 0,
                "last_put": None,
                "last_job": None,
                "workers": 0,
                "priority": 7,
                "ttr": 8,
                "signed": False,
            }
        ]
    }


def test_json_of_a_late_one(broker: Beanstalkd) -> None:
    put_tick(broker, due=int(time.time()) - 61)

    (schedule,) = operate_json(broker, "schedules")["schedules"]

    assert 61 <= schedule["late"] < 120


def test_run_without_the_secret(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker would bury the job."""
    put_tick(broker, secret="0123456789abcdef")

    done = operate(broker, "schedules", "run", "nightly")

    assert done.returncode == 2
    assert "reports/nightly have to be signed: set $JOBQUEUE_SECRET" in done.stderr
    assert broker.counts("reports") == {}
    monkeypatch.setenv("JOBQUEUE_SECRET", "0123456789abcdef")
    assert operate(broker, "schedules", "run", "nightly").returncode == 0


@pytest.mark.parametrize("name", ["nightly", "reports/nightly"])
def test_run(broker: Beanstalkd, name: str) -> None:
    """A job is put now, with the task's options; the schedule stays as it is."""
    put_tick(broker)

    job_id = operate_json(broker, "schedules", "run", name)["id"]

    with broker.client("reports") as client:
        job = client.peek(job_id)
        assert job.body == b'{"func_name":"nightly","tube":"reports","kwargs":{}}'
        assert (client.stats_job(job)["pri"], client.stats_job(job)["ttr"]) == (7, 8)
    assert broker.counts(TUBE) == {"delayed": 1}


def test_run_of_one_in_two_tubes(broker: Beanstalkd) -> None:
    put_tick(broker)
    put_tick(broker, tube="others")

    done = operate(broker, "schedules", "run", "nightly")

    assert done.returncode == 2
    assert "give one of others/nightly, reports/nightly" in done.stderr


def test_delete(broker: Beanstalkd) -> None:
    put_tick(broker)
    with broker.client() as worker:
        worker.watch(TUBE)
        done = operate(broker, "schedules", "delete", "nightly")
        assert done.returncode == 1
        assert "a task that 1 worker process has: it would be made" in done.stderr

    assert operate(broker, "schedules", "delete", "nightly").returncode == 0
    assert broker.counts(TUBE) == {}


@pytest.mark.parametrize("action", ["run", "delete"])
def test_unknown(broker: Beanstalkd, action: str) -> None:
    done = operate(broker, "schedules", action, "nightly")

    assert done.returncode == 1
    assert "there is no schedule 'nightly'" in done.stderr
    assert operate(broker, "schedules", action).returncode == 2


def test_held_tick(broker: Beanstalkd) -> None:
    """One that a worker holds is waited for, and named if it does not come."""
    put_tick(broker, due=1)
    with broker.client() as worker:
        worker.watch(TUBE)
        job = worker.reserve()
        held = operate(broker, "schedules")
        assert held.returncode == 1
        assert "Not shown, as a worker holds it: reports/nightly." in held.stderr
        worker.release(job)
    shown = operate(broker, "schedules")
    assert shown.returncode == 0
    assert "Not shown" not in shown.stderr


def test_anything_in_a_tube_of_ticks(broker: Beanstalkd) -> None:
    broker.put(b"\xff", TUBE)
    put_tick(broker, func_name="red", definition="\x1b[31m")
    other = put_tick(broker, func_name="other")
    with broker.client(TUBE) as client:
        client.put(client.peek(other).body)

    done = operate(broker, "schedules")

    assert done.stdout.count("reports/") == 2
    assert "\x1b" not in done.stdout


def test_ticks_are_no_jobs(broker: Beanstalkd) -> None:
    """No other command counts, lists, kicks, exports or deletes them, or puts one."""
    tick_id = put_tick(broker)

    assert operate(broker, "stats").stdout.count("nightly") == 0
    server = operate_json(broker, "stats")["server"]
    assert (server["delayed"], server["jobs"]) == (0, 0)
    for command in (
        ["list", TUBE],
        ["kick", TUBE, "--all", "--yes"],
        ["clear", TUBE, "--state", "delayed", "--yes"],
        ["export", TUBE],
        ["pause", TUBE, 60],
        ["put", TUBE, "nightly"],
        ["delete", "--tube", TUBE, "--func", "nightly", "--yes"],
        ["kick", "--job", tick_id],
        ["kick", "--func", "nightly", "--yes"],
    ):
        assert operate(broker, *command).returncode in {1, 2}, command
    assert broker.stats_job(tick_id)["state"] == "delayed"
    assert "holds a schedule, and no jobs" in operate(broker, "list", TUBE).stderr


def test_operator(broker: Beanstalkd) -> None:
    put_tick(broker)
    queue = JobQueue(broker.url, secret="0123456789abcdef")
    with queue, queue.operator as operator:
        (schedule,) = operator.schedules()
        assert (schedule.name, schedule.workers) == ("reports/nightly", 0)
        assert 3598 <= schedule.due_in <= 3600
        job_id = operator.run_schedule("nightly")
        assert job_id
        found = operator.job(job_id)
        assert found
        assert b'"signature"' in found.body
        assert operator.run_schedule("weekly") is None
        assert not operator.delete_schedule("weekly")
        with pytest.raises(TubeNameError):
            operator.tube(TUBE)
        with broker.client() as worker:
            worker.watch(TUBE)
            with pytest.raises(OptionError):
                operator.delete_schedule("nightly")
        assert operator.delete_schedule("nightly")


def test_no_task_in_a_tube_of_ticks(broker: Beanstalkd) -> None:
    queue = JobQueue(broker.url)
    with pytest.raises(TubeNameError, match="workers keep a schedule in it"):

        @queue.task(TUBE)
        def f() -> None: ...
