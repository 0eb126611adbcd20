"""Anybody's text, made safe for each kind of output."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobqueue.safe_text import (
    body_line,
    error_line,
    indented_json,
    json_escaped,
    lines,
    log_entry,
    one_line,
    shortened,
    to_json,
)
from tests.helpers.strategies import json_values

# Each would move the cursor, begin a line, or turn the direction of reading.
HOSTILE = {
    "escape": "\x1b[2J",
    "title": "\x1b]0;mine\x07",
    "carriage return": "\r",
    "backspace": "\b",
    "delete": "\x7f",
    "C1": "\x9b2J",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "byte order mark": "\ufeff",
    "zero width": "\u200b",
    "vertical tab": "\v",
    "form feed": "\f",
    "file separator": "\x1c",
    "tag": "\U000e0041",
    "lone surrogate": "\ud800",
}
any_text = st.text(st.characters() | st.sampled_from("".join(HOSTILE.values()) + "\n7"))


@pytest.mark.parametrize("name", HOSTILE)
def test_escaped(name: str) -> None:
    text = f"a{HOSTILE[name]}b"

    for made in (one_line(text), lines(text), log_entry(text), to_json(text)):
        assert made.isprintable()
        assert made.isascii()
    assert json.loads(to_json(text)) == text


def test_usual_text_stays() -> None:
    for text in ("", "Zoë, 中文, 😀: 1 %", "a\\b"):
        assert one_line(text) == lines(text) == log_entry(text) == text
    assert to_json({"to": "Zoë"}) == '{"to": "Zoë"}'
    assert lines("a\nb") == log_entry("a\nb") == "a\nb"
    assert log_entry("a\n\tb") == "a\n\tb"
    assert one_line("a\nb") == r"a\nb"


@given(any_text)
def test_any_text(text: str) -> None:
    assert one_line(text).isprintable()
    assert lines(text).replace("\n", "").isprintable()
    assert lines(text).count("\n") == text.count("\n")
    first, *others = log_entry(text).split("\n")
    assert len(others) == text.count("\n")
    for line in (first, *others):
        assert line.replace("\t", "").isprintable()
    assert not any(line[:1].isdigit() for line in others)


def test_second_entry() -> None:
    """A line that looks like an entry of the log is indented; others are as before."""
    text = "NOW ERROR Job 1 buried: ValueError: x\nTraceback:\n  File\nValueError: x\n"
    forged = "2026-11-27 03:30:00,000 INFO Job 8 done: refund (tube t) in 0.000 s"

    assert log_entry(text + forged) == f"{text}    {forged}"
    assert log_entry(f"{text}\uff12\uff10{forged}").splitlines()[-1].startswith("    ")


@given(json_values)
@settings(max_examples=30)
def test_any_json(value: object) -> None:
    for text in (to_json(value), to_json(value, is_ascii=True)):
        assert text.isprintable()
        assert json.loads(text) == value
    assert to_json(value, is_ascii=True).isascii()
    assert json.loads(indented_json(value)) == value
    assert json.loads(json_escaped(json.dumps(value))) == value


def test_numbers_beyond_json() -> None:
    value = {"a": [math.inf, -math.inf, math.nan], "Infinity": 'NaN "Infinity'}

    for text in (to_json(value), to_json(value, is_ascii=True), indented_json(value)):
        read = json.loads(text, parse_constant=pytest.fail)
        assert read == {"a": [math.inf, -math.inf, None], "Infinity": 'NaN "Infinity'}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "\xc2\x9b2J"}', r'{"a": "\u009b2J"}'),
        (b'{\r\n\t"a": 1\n}', '{   "a": 1 }'),
        ('{"a": "\u2028\U000e0041"}'.encode(), r'{"a": "\u2028\udb40\udc41"}'),
        (b"x\x1b\n", r"x\x1b\n"),
        (b"\xff\n", r"\xff\n"),
        (b'{"a": "b\n"}', r'{"a": "b\n"}'),
    ],
)
def test_body_line(body: bytes, expected: str) -> None:
    assert body_line(body) == expected


@given(json_values, st.sampled_from([None, 1, "\t"]))
@settings(max_examples=30)
def test_body_line_is_the_same_json(value: object, indent: int | str | None) -> None:
    body = json.dumps(value, ensure_ascii=False, indent=indent)
    line = body_line(body.encode(errors="surrogatepass"))

    assert line.isprintable()
    if body.isprintable() or not any(0xD800 <= ord(char) < 0xE000 for char in body):
        assert json.loads(line) == value


@given(st.binary())
def test_any_body(body: bytes) -> None:
    assert body_line(body).isprintable()


def test_long_text() -> None:
    text = "a" * 8_000_000 + "z"

    short = error_line(text)
    assert len(short) < 1_100
    assert short.startswith("aaa")
    assert short.endswith("aaz")
    assert "(7,999,001 characters left out)" in short
    assert shortened("abc", 3) == "abc"
