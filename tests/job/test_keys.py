"""Two keys of a dict that JSON makes one are refused: an item would be lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import ArgumentError
from jobqueue.job.body import Encoder


def encode(value: Any, **more: Any) -> Any:
    body = Encoder("f", "t").encode({"x": value, **more})
    return json.loads(body)["kwargs"]["x"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({1: 0, "1": 0}, "x has the keys 1 and '1', which JSON makes one"),
        ({"1": 0, 1: 0}, "x has the keys '1' and 1, which"),
        ({True: 0, "true": 0}, "x has the keys True and 'true', which"),
        ({False: 0, "false": 0}, "x has the keys False and 'false', which"),
        ({None: 0, "null": 0}, "x has the keys None and 'null', which"),
        ({1.0: 0, "1.0": 0}, r"x has the keys 1.0 and '1.0', which"),
        ({-1e300: 0, "-1e+300": 0}, r"x has the keys -1e\+300 and '-1e\+300', which"),
        ({2**70: 0, str(2**70): 0}, rf"x has the keys {2**70} and '{2**70}', which"),
        ({"a": {1: 0, "1": 0}}, r"x\['a'\] has the keys 1 and '1', which"),
        ([0, ({"a": [{1: 0, "1": 0}]},)], r"x\[1\]\[0\]\['a'\]\[0\] has the keys"),
        ({2: {1: {None: 0, "null": 0}}}, r"x\[2\]\[1\] has the keys"),
    ],
)
def test_refused(value: Any, problem: str) -> None:
    with pytest.raises(ArgumentError, match=rf"f\(\) can't be put: {problem}"):
        encode(value)


@pytest.mark.parametrize(
    "value",
    [
        {1: 0, 2: 0, "3": 0},
        {1: {"1": 0}, "2": {2: 0}},
        {"a1": 0, "b1": {"c1": 0}, "true": 0, "null": {"false": 1}},
        {True: 0, None: 0, 2: 0, "True": 0, "None": 0},
        ['{"1":2,"1":3}', {'"1":': 0}, {1: 1}],
        {1.0: 0, "1": 0},
    ],
)
def test_taken(value: Any) -> None:
    assert len(encode(value)) == len(value)


def test_named_like_an_argument() -> None:
    """The keys of the body itself are the names of arguments."""
    encoder = Encoder("f", "t")

    body = encoder.encode({"1": {"a": {}}, "true": 1})

    assert json.loads(body)["kwargs"] == {"1": {"a": {}}, "true": 1}


KEYS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -2.0, 1e300]),
    st.sampled_from(["null", "true", "false", "1", "-2", "0.5", "1.0", "1e+300", "a"]),
)
VALUES = st.recursive(
    st.just(0),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)


def size(value: Any) -> int:
    """Return how many items there are in a value, at any depth."""
    items = value.values() if isinstance(value, dict) else value
    return 1 + sum(map(size, items)) if isinstance(value, dict | list) else 1


@given(VALUES)
def test_no_item_is_lost(value: Any) -> None:
    """Whatever is taken arrives whole; what is refused would not."""
    try:
        found = encode(value)
    except ArgumentError:
        assert size(json.loads(json.dumps(value))) < size(value)
    else:
        assert size(found) == size(value)
