"""delete, clear, pause and resume."""

import json

import pytest

from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    Terminal,
    operate,
    operate_json,
    put,
    put_buried,
)


def test_delete(broker: Beanstalkd) -> None:
    ids = put(broker, 3)
    with broker.client("t") as client:
        client.reserve_job(ids[1])

        done = operate(broker, "delete", *ids, 77)
        as_json = operate(broker, "delete", ids[1], "--json")

    assert done.returncode == 1
    assert done.stdout == "Deleted 2 jobs\n"
    assert done.stderr.splitlines() == [
        f"job {ids[1]} is reserved: only its worker can delete it",
        "there is no job 77",
    ]
    assert json.loads(as_json.stdout) == {"deleted": 0, "not_deleted": [ids[1]]}
    assert operate(broker, "delete", ids[1]).returncode == 0


def test_clear_by_state(broker: Beanstalkd) -> None:
    put(broker, 1200)
    put(broker, 800, "other")
    put(broker, 700, delay=1000)
    put_buried(broker, 2000)

    done = operate(broker, "clear", "t", "--state", "buried", "--yes")
    both = ("--state", "ready", "--state", "delayed", "--yes")
    assert done.stdout == "Deleted 2,000 jobs of tube 't'\n"
    assert broker.counts("t") == {"ready": 1200, "delayed": 700}
    assert operate_json(broker, "clear", "t", *both) == {
        "cleared": 1900,
        "reserved": 0,
        "left": 0,
    }
    assert broker.counts("other") == {"ready": 800}


def test_clear_leaves_reserved_jobs(broker: Beanstalkd) -> None:
    ids = put(broker, 5)
    with broker.client("t") as client:
        for job_id in ids[:3]:
            client.reserve_job(job_id)
        states = ("--state", "ready", "--state", "reserved", "--yes")
        done = operate(broker, "clear", "t", *states)

        assert done.returncode == 0
        assert done.stdout.splitlines() == [
            "Deleted 2 jobs of tube 't'",
            "Not deleted: 3 reserved jobs, which only workers can delete",
        ]


def test_clear_needs_yes_without_a_terminal(
    broker: Beanstalkd,
) -> None:
    put(broker, 2)

    done = operate(broker, "clear", "t", "--state", "ready")

    assert done.returncode == 2
    assert "there is no terminal to ask on: give --yes" in done.stderr
    assert broker.counts("t") == {"ready": 2}


@pytest.mark.parametrize(
    ("answer", "status", "left"), [("y", 0, {}), ("n", 1, {"ready": 2}), ("", 1, None)]
)
def test_clear_asks_on_a_terminal(
    broker: Beanstalkd, answer: str, status: int, left: dict[str, int] | None
) -> None:
    put(broker, 2)

    with Terminal(broker, "clear", "t", "--state", "ready") as terminal:
        terminal.shows("Delete 2 ready jobs of tube 't' for good? [y/N]")
        terminal.types(f"{answer}\n")
        assert terminal.exit_code() == status

    assert broker.counts("t") == ({"ready": 2} if left is None else left)


def test_pause_and_resume(broker: Beanstalkd) -> None:
    put(broker)

    done = operate(broker, "pause", "t", 3600)
    with broker.client("t") as client:
        paused = client.stats_tube("t")["pause-time-left"]
        resumed = operate_json(broker, "resume", "t")
        after = client.stats_tube("t")["pause-time-left"]

    assert done.stdout == "Tube 't' is paused for 1h\n"
    assert paused in range(3500, 3601)
    assert resumed == {"tube": "t", "paused": 0}
    assert after == 0
