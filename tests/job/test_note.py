"""Failure notes: encoded, bounded, decoded strictly; and the tubes that hold them."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.broker.checks import check_tube
from jobqueue.job.note import (
    MAX_TEXT,
    MAX_TRACEBACK,
    FailureNote,
    NoteKind,
    decode_note,
)
from jobqueue.job.note_tubes import (
    failures_tube,
    is_notes_tube,
    retries_tube,
    tube_of_notes,
)

NOTE = FailureNote(
    kind=NoteKind.BURIED,
    job_id=9,
    tube="emails",
    func_name="send",
    error="ValueError",
    error_text="no",
    traceback="Traceback ...\nValueError: no",
    attempt=2,
    kicks=1,
    when=datetime(2026, 11, 27, 14, 0, 1, 250_000, UTC),
    host="web-1",
    pid=4711,
)
FIELDS = json.loads(NOTE.encode())


def changed(note: FailureNote = NOTE, **changes: object) -> FailureNote:
    fields = {name: getattr(note, name) for name in FailureNote.__dataclass_fields__}
    return FailureNote(**(fields | changes))


@pytest.mark.parametrize("last_kick", [None, False, True])
def test_round_trip(*, last_kick: bool | None) -> None:
    note = changed(last_kick=last_kick)
    assert decode_note(note.encode()) == note


def test_key_of_a_later_version() -> None:
    """It is left out: workers and operators need not have one version."""
    assert decode_note(json.dumps(FIELDS | {"more": 1}).encode()) == NOTE


@given(
    func_name=st.none() | st.text(max_size=300),
    error=st.text(max_size=300),
    error_text=st.text(),
    traceback=st.text(),
    body=st.none() | st.binary(),
    when=st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)),  # noqa: DTZ001
)
def test_any_text(
    *,
    func_name: str | None,
    error: str,
    error_text: str,
    traceback: str,
    body: bytes | None,
    when: datetime,
) -> None:
    """Text with half characters is escaped, and all else comes back."""
    note = changed(
        func_name=func_name,
        error=error,
        error_text=error_text,
        traceback=traceback,
        body=body,
        when=when.replace(tzinfo=timezone(timedelta(hours=2))),
    )

    found = decode_note(note.encode())

    assert found is not None
    assert found.body == body
    assert found.when == note.when.replace(
        microsecond=note.when.microsecond // 1000 * 1000
    )
    assert found.priority == note.priority
    assert decode_note(found.encode()) == found


def test_texts_are_bounded() -> None:
    long = changed(
        func_name="f" * 10_000,
        error="E" * 10_000,
        error_text="b" + "é" * 10_000,
        traceback="é" * 10_000 + "e",
        host="h" * 10_000,
    )

    data = long.encode()
    found = decode_note(data)

    assert len(data) < 6_500
    assert found is not None
    assert found.error_text.startswith("bé")
    assert found.error_text.endswith("é...")
    assert len(found.error_text.encode()) <= MAX_TEXT
    assert found.traceback.startswith("...é")
    assert found.traceback.endswith("ée")
    assert len(found.traceback.encode()) <= MAX_TRACEBACK


def test_a_body_that_is_no_text() -> None:
    note = changed(kind=NoteKind.DELETED, body=b"\xff\x00")

    assert b'"body_base64":"/wA="' in note.encode()
    assert decode_note(note.encode()) == note


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    assert decode_note(data) is None


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "eaten"},
        {"kind": None},
        {"job_id": 0},
        {"job_id": True},
        {"job_id": "9"},
        {"attempt": -1},
        {"pid": 10**400},
        {"when": "yesterday"},
        {"when": "2026-11-27T14:00:01.250"},
        {"when": "2026-13-27T14:00:01.250+00:00"},
        {"when": 1.5},
        {"tube": ["emails"]},
        {"func_name": 1},
        {"error_text": "\ud800"},
        {"body": 1},
        {"body_base64": "?"},
        {"body": "", "body_base64": ""},
        {"last_kick": 1},
    ],
)
def test_other_fields(change: dict[str, object]) -> None:
    assert decode_note(json.dumps(FIELDS | change).encode()) is None


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field(name: str) -> None:
    left = {key: value for key, value in FIELDS.items() if key != name}

    assert decode_note(json.dumps(left).encode()) is None


@pytest.mark.parametrize("data", ["[" * 100_000, "1" * 5000, "null", "[]", '"a"', ""])
def test_other_json(data: str) -> None:
    assert decode_note(data.encode()) is None


def test_names_of_tubes() -> None:
    assert failures_tube("emails") == "jobqueue.failures/emails"
    assert retries_tube("emails") == "jobqueue.retries/emails"
    for tube in ("e", "-/+;.$_()".strip("-"), "e" * 182):
        for named in (failures_tube(tube), retries_tube(tube)):
            assert check_tube(named) == named
            assert is_notes_tube(named)
            assert tube_of_notes(named) == tube


@pytest.mark.parametrize("of", [failures_tube, retries_tube])
def test_long_names(of: object) -> None:
    assert callable(of)
    names = {of("e" * size) for size in range(184, 201)}

    assert len(names) == 17
    for name in names:
        assert check_tube(name) == name
        assert is_notes_tube(name)
        assert tube_of_notes(name) is None


@pytest.mark.parametrize(
    "name", ["emails", "jobqueue", "jobqueue.failures", "my.jobqueue.failures/emails"]
)
def test_other_tubes(name: str) -> None:
    assert not is_notes_tube(name)
    assert tube_of_notes(name) is None
