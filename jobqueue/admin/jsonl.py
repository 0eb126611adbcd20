"""Jobs as lines of JSON: an export writes them, and an import reads them.

The keys are those of ``list --json``, and the body: ``body`` if it is UTF-8, else
``body_base64``. ``delay`` is the seconds until a delayed job is ready, else 0. An
import needs ``tube`` and a body; it heeds ``priority``, ``ttr``, ``delay`` and
``state`` if a line has them, and no other key.
"""

import base64
import json
from dataclasses import dataclass

from jobqueue.broker.checks import check_tube
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.stats import JobState
from jobqueue.errors import JobQueueError
from jobqueue.job.note import FailureNote
from jobqueue.operating.record import JobRecord
from jobqueue.safe_text import to_json


class BadLineError(JobQueueError, ValueError):
    """A line is not a job."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job that an import is to put."""

    tube: str
    body: bytes
    options: PutOptions
    is_buried: bool


def as_values(job: JobRecord) -> dict[str, object]:
    """Return the keys and values of a job's line."""
    remaining = job.stats.time_left if job.state == JobState.DELAYED else 0
    return job.stats.as_dict() | {"delay": remaining} | _body_values(job.body)


def _body_values(body: bytes) -> dict[str, object]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def failure_values(failure: FailureNote) -> dict[str, object]:
    """Return the keys and values of a failure, with the body of a deleted job."""
    return {
        "job_id": failure.job_id,
        "tube": failure.tube,
        "func_name": failure.func_name,
        "kind": failure.kind,
        "error": failure.error,
        "error_text": failure.error_text,
        "traceback": failure.traceback,
        "attempt": failure.attempt,
        "kicks": failure.kicks,
        "last_kick": failure.last_kick,
        "failed_at": failure.when.isoformat(),
        "host": failure.host,
        "pid": failure.pid,
        **({} if failure.body is None else _body_values(failure.body)),
    }


def encode(job: JobRecord) -> bytes:
    """Return the line of a job, with the line break."""
    values = as_values(job)
    return to_json(values).encode() + b"\n"


def decode(line: bytes) -> JobLine:
    """Return the job in a line. Raises :class:`BadLineError`, with the reason."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise BadLineError("it is not JSON, or was cut short") from None
    if not isinstance(values, dict):
        raise BadLineError("it is not a JSON object")
    try:
        defaults = PutOptions()
        return JobLine(
            tube=check_tube(values.get("tube")),
            body=_body(values),
            options=PutOptions(
                delay=values.get("delay", defaults.delay),
                priority=values.get("priority", defaults.priority),
                ttr=values.get("ttr", defaults.ttr),
            ),
            is_buried=values.get("state") == JobState.BURIED,
        )
    except (JobQueueError, ValueError) as error:
        raise BadLineError(str(error)) from None


def _body(values: dict[str, object]) -> bytes:
    match values:
        case {"body": str(text)}:
            return text.encode()
        case {"body_base64": str(text)}:
            return base64.b64decode(text, validate=True)
        case _:
            raise BadLineError('it has neither "body" nor "body_base64"')
