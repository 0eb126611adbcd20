"""FailureNote: why a job failed, as a worker leaves it in the broker.

beanstalkd can't change the body of a job, and there is no other store. So a worker puts
a job of its own, the note, into a tube that no worker watches (``note_tubes.py``). The
note's priority is its Unix time: the oldest comes first.
"""

import enum
import json
import re
import sys
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from jobqueue.broker.checks import MAX_JOB_ID, MAX_NUMBER
from jobqueue.job.note_tubes import failures_tube, retries_tube

MAX_TEXT = 1_000  # bytes of an error's text in UTF-8
MAX_TRACEBACK = 4_000  # bytes of a traceback in UTF-8
_MAX_NAME = 300  # bytes of a function's, a class's or a host's name
_MAX_COUNT = 2**63  # of what is counted, and process ids
_CUT = "..."


class NoteKind(enum.StrEnum):
    """What became of the job that a note is about."""

    BURIED = "buried"
    DELETED = "deleted"  # for its kicks
    RETRIED = "retried"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureNote:
    """One failure of a job. Its texts may be hostile: escape them to show them.

    A function that is not known to the worker has the name that the job's body gives,
    and None stands for a body that gives none. The texts are bounded: ``error_text``
    lacks its end, and ``traceback`` its beginning, if they were too long. Only a
    deleted job has its ``body`` here. ``last_kick`` says of a buried job whether its
    next kick is the last that ``max_kicks`` allows: if it fails after that, it is
    deleted. None stands for a job whose task was not known, and for no buried job.
    """

    kind: NoteKind
    job_id: int
    tube: str
    func_name: str | None
    error: str  # the name of its class
    error_text: str
    traceback: str  # the end of it; empty if the function was not called
    attempt: int  # how many times the broker had handed the job out
    kicks: int
    when: datetime  # in UTC
    host: str
    pid: int
    body: bytes | None = None
    last_kick: bool | None = None

    @property
    def notes_tube(self) -> str:
        """The tube that the note belongs into."""
        is_retry = self.kind is NoteKind.RETRIED
        return retries_tube(self.tube) if is_retry else failures_tube(self.tube)

    @property
    def priority(self) -> int:
        """The priority that the note is put with: its Unix time."""
        return min(max(0, int(self.when.timestamp())), MAX_NUMBER)

    def without_body(self) -> Self:
        """Return the note without the body of its job."""
        return replace(self, body=None)

    def brief(self, text: int = MAX_TEXT) -> Self:
        """Return the note in less memory: without traceback and body.

        Of the error's text it has ``text`` characters. Names that notes have in common
        are held once.
        """
        return replace(
            self,
            tube=sys.intern(self.tube),
            func_name=None if self.func_name is None else sys.intern(self.func_name),
            error=sys.intern(self.error),
            error_text=sys.intern(self.error_text[:text]),
            traceback="",
            host=sys.intern(self.host),
            body=None,
        )

    def encode(self) -> bytes:
        """Return the note as compact UTF-8 JSON, with all of its texts bounded."""
        fields = {
            "kind": self.kind,
            "job_id": self.job_id,
            "tube": self.tube,
            "func_name": None if self.func_name is None else _name(self.func_name),
            "error": _name(self.error),
            "error_text": beginning_of(self.error_text, MAX_TEXT),
            "traceback": end_of(self.traceback, MAX_TRACEBACK),
            "attempt": self.attempt,
            "kicks": self.kicks,
            "when": self.when.astimezone(UTC).isoformat(timespec="milliseconds"),
            "host": _name(self.host),
            "pid": self.pid,
        }
        if self.last_kick is not None:
            fields["last_kick"] = self.last_kick
        if self.body is not None:
            fields |= _with_body(self.body)
        return _JSON.encode(fields).encode()


def decode_note(data: bytes) -> FailureNote | None:
    """Return the note in the body of a job; None for anything else.

    Anybody may put anything into a tube of notes.
    """
    try:
        fields = json.loads(data.decode())
        return _note(fields)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def beginning_of(text: str, size: int) -> str:
    """Return text that has at most ``size`` bytes in UTF-8: the beginning of it."""
    data = text[:size].encode("utf-8", "backslashreplace")
    if len(data) <= size and len(text) <= size:
        return data.decode()
    return data[: size - len(_CUT)].decode(errors="ignore") + _CUT


def end_of(text: str, size: int) -> str:
    """Return text that has at most ``size`` bytes in UTF-8: the end of it."""
    data = text[-size:].encode("utf-8", "backslashreplace")
    if len(data) <= size and len(text) <= size:
        return data.decode()
    return _CUT + data[len(_CUT) - size :].decode(errors="ignore")


def _name(text: str) -> str:
    return beginning_of(text, _MAX_NAME)


def _with_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": b2a_base64(body, newline=False).decode()}


def _note(fields: object) -> FailureNote:
    """Return the note that decoded JSON is. Raises ``ValueError``, or the like."""
    if not isinstance(fields, dict):
        raise TypeError("not an object")
    if not fields.keys() >= _KEYS:  # a later version may add others
        raise ValueError("not the keys of a note")
    func_name = fields["func_name"]
    return FailureNote(
        kind=NoteKind(_text(fields["kind"])),
        job_id=_number(fields["job_id"], 1, MAX_JOB_ID),
        tube=_text(fields["tube"]),
        func_name=None if func_name is None else _text(func_name),
        error=_text(fields["error"]),
        error_text=_text(fields["error_text"]),
        traceback=_text(fields["traceback"]),
        attempt=_number(fields["attempt"]),
        kicks=_number(fields["kicks"]),
        when=_time(_text(fields["when"])),
        host=_text(fields["host"]),
        pid=_number(fields["pid"]),
        body=_body(fields),
        last_kick=_bool_or_none(fields.get("last_kick")),
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        value.encode()  # JSON may hold half a character, which can't be printed
        return value
    raise TypeError("not a text")


def _number(value: object, least: int = 0, most: int = _MAX_COUNT) -> int:
    if type(value) is int and least <= value <= most:
        return value
    raise ValueError("not a number")


def _bool_or_none(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise TypeError("not a bool")


def _time(text: str) -> datetime:
    if _TIME.fullmatch(text):
        return datetime.fromisoformat(text)
    raise ValueError("not a time")


def _body(fields: dict[str, object]) -> bytes | None:
    if fields.keys() >= _BODY_KEYS:
        raise ValueError("two bodies")
    if "body" in fields:
        return _text(fields["body"]).encode()
    if "body_base64" in fields:
        return a2b_base64(_text(fields["body_base64"]), strict_mode=True)
    return None


_BODY_KEYS = {"body", "body_base64"}
_KEYS = set(FailureNote.__dataclass_fields__) - _BODY_KEYS - {"last_kick"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", re.ASCII)
_JSON = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
)
