"""The body of a job: each value and each sequence of bytes, encoded and decoded."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import ArgumentError, BadJobError
from jobqueue.job.body import MAX_DEPTH, Encoder, Message, decode
from tests.helpers.strategies import json_objects, json_values


@given(st.text(), st.text(), json_objects)
def test_round_trip(func_name: str, tube: str, kwargs: dict[str, object]) -> None:
    assert decode(Encoder(func_name, tube).encode(kwargs)) == Message(
        func_name, tube, kwargs, {}
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
        (b"[" * 30000, "nested too deeply|not JSON"),  # as the version of Python says
        (b"[" * 30000 + b"]" * 30000, "nested too deeply"),
    ],
)
def test_not_a_job(body: bytes, problem: str) -> None:
    """A body that is not a job is refused with the reason."""
    with pytest.raises(BadJobError, match=problem):
        decode(body)


Nest = Callable[[int], object]  # makes a value of so many levels


def lists(levels: int) -> object:
    return [lists(levels - 1)] if levels else 0


def dicts(levels: int) -> object:
    return {"k": dicts(levels - 1)} if levels else "v"


def mixed(levels: int) -> object:
    return [levels, {"k": mixed(levels - 2)}] if levels > 1 else lists(levels)


def last_of_many(levels: int) -> object:
    """Return a value whose deepest part comes after wide and shallow ones."""
    return [[[]] * 300, {"a": {}}, lists(levels - 1)]


def among_strings(levels: int) -> object:
    """Return a value with brackets, quotes and backslashes in strings everywhere."""
    if not levels:
        return '"]}'
    return {'\\"[{': "]" * 9, "\\": "}\\", 'a"': among_strings(levels - 1), "[": '\\"'}


@pytest.mark.parametrize("nest", [lists, dicts, mixed, last_of_many, among_strings])
def test_depth(nest: Nest) -> None:
    """The put and the worker have one bound, the same on every version of Python."""
    most = MAX_DEPTH - 2  # in the body's object, and that of the arguments
    encoder = Encoder("f", "t")
    deepest = {"x": nest(most)}
    head = b'{"func_name":"f","tube":"t","kwargs":'

    assert decode(encoder.encode(deepest)).kwargs == deepest
    for levels in (most + 1, most + 2, 3 * most):
        too_deep = {"fine": "[" * 999, "x": nest(levels)}
        with pytest.raises(
            ArgumentError, match=r"x is nested too deeply, in more than"
        ):
            encoder.encode(too_deep)
        with pytest.raises(BadJobError, match="the body is nested too deeply, in more"):
            decode(head + json.dumps(too_deep).encode() + b"}")


@pytest.mark.parametrize(
    "wide", ["[" * 5000, '\\"[{' * 999, [[]] * 5000, [{"a": []}] * 99]
)
def test_wide(wide: object) -> None:
    """Many brackets alone are fine, and so are those in strings."""
    kwargs = {"x": wide}

    assert decode(Encoder("f", "t").encode(kwargs)).kwargs == kwargs


def depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(json_values, st.integers(0, 110), st.booleans())
def test_depth_of_any_value(value: object, levels: int, escaped: bool) -> None:
    for n in range(levels):
        value = [value] if n % 2 else {"\\": "[", '"': value}
    text = json.dumps({"x": value}, ensure_ascii=escaped)
    body = b'{"func_name":"f","tube":"t","kwargs":%b}' % text.encode()
    if depth(value) <= MAX_DEPTH - 2:
        assert decode(body).kwargs == {"x": value}
    else:
        with pytest.raises(BadJobError, match="nested too deeply"):
            decode(body)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body(body: bytes) -> None:
    """Any body is a message, or refused with a BadJobError."""
    try:
        message = decode(body)
    except BadJobError:
        return
    assert isinstance(message.kwargs, dict)
