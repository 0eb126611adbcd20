"""Jobs in words, and as the command that puts one like it."""

import json
import shlex
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobqueue import JobState, JobStats
from jobqueue.admin.commands.put import arguments
from jobqueue.operating.record import JobRecord
from jobqueue.web.wording import call_of, history_of, put_command, state_of
from tests.helpers.strategies import json_values

STATS = JobStats(
    id=1,
    tube="t",
    state=JobState.READY,
    priority=1,
    age=5,
    delay=0,
    ttr=60,
    time_left=30,
    reserves=0,
    timeouts=0,
    releases=0,
    buries=0,
    kicks=0,
)
READY, RESERVED, BURIED = JobState.READY, JobState.RESERVED, JobState.BURIED


def record(kwargs: object, func_name: str = "send") -> JobRecord:
    job = {"func_name": func_name, "tube": "t", "kwargs": kwargs}
    return JobRecord(STATS, json.dumps(job).encode())


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, "Not tried yet"),
        ({"state": RESERVED, "reserves": 1}, "Tried once"),
        ({"reserves": 1}, "Tried once, lost once"),
        ({"reserves": 2, "releases": 2}, "Tried twice, given back twice"),
        ({"state": BURIED, "reserves": 1, "buries": 1}, "Tried once, buried once"),
        (
            {"reserves": 1, "buries": 1, "kicks": 1},
            "Tried once, buried once, kicked once",
        ),
        (
            {"state": BURIED, "reserves": 3, "buries": 2, "kicks": 1, "timeouts": 1},
            "Tried 3 times, lost once, timed out once, buried twice, kicked once",
        ),
    ],
)
def test_history(counts: dict[str, Any], expected: str) -> None:
    assert history_of(STATS._replace(**counts)) == expected


def test_states() -> None:
    assert state_of(STATS) == "ready: it waits for a worker"
    delayed = STATS._replace(state=JobState.DELAYED, time_left=90)
    assert state_of(delayed) == "delayed: ready in 1m 30s"
    overdue = STATS._replace(state=RESERVED, time_left=-9)
    assert state_of(overdue).startswith("reserved, and past its ttr by 9s")


NAMES = st.from_regex(r"[a-z_]{1,9}", fullmatch=True)


@given(st.dictionaries(NAMES, json_values, max_size=4))
@example({"to": "ada", "code": "0123", "flag": "true", "x": "NaN", "deep": "[" * 5000})
@example({"text": "it's\n$HOME `ls` \u202e", "empty": "", "quoted": '"x"', "eq": "a=b"})
def test_command(kwargs: dict[str, object]) -> None:
    """It puts the same arguments, through a shell."""
    command = put_command(record(kwargs))

    assert command is not None
    assert command.isprintable()
    words = shlex.split(command)
    assert words[:4] == ["jobqueue", "put", "t", "send"]
    assert arguments(words[4:]) == kwargs


def test_no_command() -> None:
    assert put_command(record({}, func_name="a b")) is None
    assert put_command(record({"a b": 1})) is None
    assert put_command(JobRecord(STATS, b"x")) is None


def test_calls() -> None:
    """A long one is cut."""
    long = call_of(record({"a": "x" * 10**6, "b": 1}), hide_arguments=False)

    assert len(long) == 200
    assert long.startswith('send(a="xxx')
    assert call_of(JobRecord(STATS, b"\xff\x1b"), hide_arguments=False) == "\ufffd\\x1b"
    hidden = call_of(JobRecord(STATS, b"secret"), hide_arguments=True)
    assert hidden == "6 bytes, not in jobqueue's format"
