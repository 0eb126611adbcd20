"""The body of a job: each value and each sequence of bytes, encoded and decoded."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import ArgumentError, BadJobError
from jobqueue.job.body import Encoder, Message, decode
from tests.helpers.strategies import json_values


@given(st.text(), st.text(), st.dictionaries(st.text(), json_values))
def test_round_trip(func_name: str, tube: str, kwargs: dict[str, object]) -> None:
    assert decode(Encoder(func_name, tube).encode(kwargs)) == Message(
        func_name, tube, kwargs
    )


def test_compact_json() -> None:
    """The body is compact JSON with exactly three keys."""
    body = Encoder("task_one", "t").encode({"arg1": "ä", "arg2": [1, None]})

    expected = (
        '{"func_name":"task_one","tube":"t","kwargs":{"arg1":"ä","arg2":[1,null]}}'
    )
    assert expected.encode() == body


def test_what_json_changes() -> None:
    """JSON makes lists of tuples, and strings of keys."""
    arrived = decode(Encoder("f", "t").encode({"a": (1, 2), "b": {1: True, None: 0.5}}))

    assert arrived.kwargs == {"a": [1, 2], "b": {"1": True, "null": 0.5}}


class Opaque:
    pass


class Treacherous:
    def __repr__(self) -> str:
        raise RuntimeError


def endless() -> list[object]:
    loop: list[object] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({1}, "x is a set"),
        (b"b", "x is a bytes"),
        (Opaque(), "x is a Opaque"),
        (Decimal(1), "x is a Decimal"),
        (datetime.now(UTC), "x is a datetime"),
        (float("nan"), "x is nan"),
        (float("-inf"), "x is -inf"),
        ([0, (1, {"k": {2}})], r"x\[1\]\[1\]\['k'\] is a set"),
        ({(1, 2): 0}, "x has a key of type tuple"),
        ({float("inf"): 0}, "the key inf of x is inf"),
        ("\ud800", "x is a str with a lone surrogate"),
        ([10**5000], r"x\[0\] is an int of too many digits"),
        ({10**5000: 1}, "x raises ValueError when looked at"),
        ({Treacherous(): 1}, "x has a key of type Treacherous"),
        (endless(), "x is nested too deeply, or contains itself"),
    ],
)
def test_not_json(value: object, problem: str) -> None:
    """An argument that JSON can't carry is refused by its name."""
    with pytest.raises(ArgumentError, match=rf"f\(\) can't be put: {problem}"):
        Encoder("f", "t").encode({"fine": 1, "x": value})


@given(st.dictionaries(st.text(), st.from_type(object)))
def test_any_arguments(kwargs: dict[str, Any]) -> None:
    """Any arguments are encoded, or refused with an ArgumentError."""
    try:
        body = Encoder("f", "t").encode(kwargs)
    except ArgumentError:
        return
    decode(body)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        ('{"func_name":"f"}'.encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"{", "not JSON"),
        (b"1", "is a number in JSON"),
        (b"null", "is null in JSON"),
        (b"true", "is a boolean in JSON"),
        (b'"s"', "is a string in JSON"),
        (b"[]", "is an array in JSON"),
        (b"{}", 'no "func_name" and no "kwargs" and no "tube"'),
        (b'{"func_name":"f","tube":"t"}', 'no "kwargs"'),
        (b'{"func_name":"f","tube":"t","kwargs":{},"x":1}', "other keys as well"),
        (
            b'{"func_name":"f","tube":"t","kwargs":{},"signature":1}',
            "other keys as well",
        ),
        (
            b'{"func_name":"f","tube":"t","kwargs":{},"signature":"","x":1}',
            "other keys as well",
        ),
        (b'{"func_name":"f","tube":"t","signature":""}', 'no "kwargs"'),
        (b'{"func_name":"f","tube":"t","x":1,"signature":""}', 'no "kwargs"'),
        (
            b'{"func_name":1,"tube":"t","kwargs":{}}',
            '"func_name" is a number, not a string',
        ),
        (b'{"func_name":"f","tube":null,"kwargs":{}}', '"tube" is null'),
        (
            b'{"func_name":"f","tube":"t","kwargs":[]}',
            '"kwargs" is an array, not an object',
        ),
        (b'{"func_name":"f","tube":"t","kwargs":{"a":NaN}}', "NaN is not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"[" * 30000, "nested too deeply"),
        (b"[" * 30000 + b"]" * 30000, "nested too deeply"),
    ],
)
def test_not_a_job(body: bytes, problem: str) -> None:
    """A body that is not a job is refused with the reason."""
    with pytest.raises(BadJobError, match=problem):
        decode(body)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body(body: bytes) -> None:
    """Any body is a message, or refused with a BadJobError."""
    try:
        message = decode(body)
    except BadJobError:
        return
    assert isinstance(message.kwargs, dict)
