"""The body of a tick."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import SignatureError
from jobqueue.job.note_tubes import is_tick_tube, tick_tube
from jobqueue.job.signing import Signing
from jobqueue.schedule.tick import Tick, decode_tick

UNSIGNED = Signing()
TICK = Tick("reports", "nightly", 1_800_000_000, "every 300 s", 1.5, 65536, 60, 1, 2, 3)


def test_round_trip() -> None:
    assert decode_tick(TICK.encode(UNSIGNED)) == TICK


def test_signed() -> None:
    signing = Signing("0123456789abcdef")
    body = TICK.encode(signing)

    signing.check(body)
    assert decode_tick(body) == TICK
    with pytest.raises(SignatureError):
        signing.check(TICK.encode(UNSIGNED))


def test_tick_of_a_later_version() -> None:
    """Workers of both versions are up in a deploy, and neither deletes the other's."""
    body = json.dumps(TICK._asdict() | {"more": 1}).encode()

    assert decode_tick(body) == TICK


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    assert decode_tick(body) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"due": -1},
        {"due": 2**32},
        {"due": True},
        {"due": 1.5},
        {"due": "1"},
        {"ttr": 0},
        {"priority": -1},
        {"last_job": "1"},
        {"since": None},
        {"last_put": 1e99},
        {"tube": 1},
        {"func_name": "\ud800"},
        {"definition": "\ud800"},
    ],
)
def test_bad_fields(fields: dict[str, object]) -> None:
    body = json.dumps(TICK._asdict() | fields).encode()

    assert decode_tick(body) is None


@pytest.mark.parametrize(
    "name", ["nightly", "naïf", "n" * 300, "日本語"], ids=["short", "é", "long", "cjk"]
)
def test_tube(name: str) -> None:
    tube = tick_tube("reports", name)

    assert is_tick_tube(tube)
    assert tube.isascii()
    assert len(tube) <= 200
    assert tube != tick_tube("reports", name + "x")
