"""A job as a line of JSON."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.admin import jsonl
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating.record import JobRecord


def line_of(body: bytes, state: str = "ready", **numbers: int) -> bytes:
    names = (
        "id priority age delay ttr time_left reserves timeouts releases buries kicks"
    )
    values = dict.fromkeys(names.split(), 1) | numbers
    stats = JobStats(tube="t", state=JobState(state), **values)
    return jsonl.encode(JobRecord(stats, body))


@given(content=st.binary())
def test_any_body_survives(content: bytes) -> None:
    line = line_of(content)

    assert line.count(b"\n") == 1
    assert jsonl.decode(line).body == content


def test_documented_keys() -> None:
    values = json.loads(line_of(b"x", "delayed", time_left=9))

    names = (
        "id tube state priority age delay ttr time_left reserves timeouts releases "
        "buries kicks body"
    )
    assert names.split() == list(values)
    assert values["delay"] == 9
    assert json.loads(line_of(b"x", "ready", time_left=9))["delay"] == 0
    odd = json.loads(line_of(b"\xff"))
    assert base64.b64decode(odd["body_base64"]) == b"\xff"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "it is not JSON, or was cut short"),
        (b'{"tube": "t", "bo', "it is not JSON, or was cut short"),
        (b"\xff\xfe", "it is not JSON, or was cut short"),
        (b"[" * 100_000, "it is not JSON, or was cut short"),
        (b"[]", "it is not a JSON object"),
        (b'{"body": "x"}', "None is not a tube name"),
        (b'{"tube": "a\\r\\nb", "body": "x"}', "is not a tube name"),
        (b'{"tube": "t"}', 'it has neither "body" nor "body_base64"'),
        (b'{"tube": "t", "body": 5}', 'it has neither "body" nor "body_base64"'),
        (b'{"tube": "t", "body": "\\ud800"}', "surrogates not allowed"),
        (b'{"tube": "t", "body_base64": "?"}', "base64"),
        (b'{"tube": "t", "body": "", "priority": -1}', "priority has to be"),
        (b'{"tube": "t", "body": "", "priority": "1"}', "priority has to be"),
        (b'{"tube": "t", "body": "", "priority": true}', "priority has to be"),
        (b'{"tube": "t", "body": "", "delay": 1e3}', "delay has to be a whole number"),
        (b'{"tube": "t", "body": "", "ttr": 4294967296}', "ttr has to be"),
    ],
)
def test_bad_lines(line: bytes, problem: str) -> None:
    with pytest.raises(jsonl.BadLineError, match=problem.replace('"', ".")):
        jsonl.decode(line)
