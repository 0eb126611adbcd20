"""Reply lines: reading their values, or making errors of them."""

import greenstalk

from jobqueue.broker.checks import MAX_JOB_ID

NOT_FOUND = b"NOT_FOUND\r\n"
NO_JOB = frozenset({b"TIMED_OUT\r\n", b"DEADLINE_SOON\r\n"})
NO_ROOM = "is out of memory, or has no room for its binlog"

_MAX_BODY = 2**30  # bytes: the most that beanstalkd's -z allows


def values_of(line: bytes, expected: bytes) -> list[bytes]:
    """Return the values of a reply line, with its end or without.

    Raises greenstalk's error for any reply but the expected one. Other white space than
    one space between two words belongs to a word: it comes of a stream out of step.
    """
    status, *values = line.removesuffix(b"\r\n").split(b" ")
    if status == expected:
        return values
    raise unexpected(line)


def unexpected(line: bytes) -> greenstalk.Error:
    """Return greenstalk's error for a reply line that was not expected."""
    status, *values = line.split() or [b""]
    if status in greenstalk.ERROR_RESPONSES:
        error: greenstalk.Error = greenstalk.ERROR_RESPONSES[status](values)
        return error
    return greenstalk.UnknownResponseError(status, values)


def number_of(word: bytes) -> int:
    """Return a number of a reply. Raises ``ValueError``.

    ``int()`` alone accepts signs, spaces and underscores as well.
    """
    if word.isdigit():
        return int(word)
    raise ValueError(f"{word[:50]!r} instead of a number")


def size_of(word: bytes) -> int:
    """Return the size of a body or chunk in bytes. Raises ``ValueError``."""
    # Without a call of number_of: each job comes here.
    if word.isdigit() and (size := int(word)) <= _MAX_BODY:
        return size
    raise ValueError(f"{word[:50]!r} instead of a size")


def id_of(word: bytes) -> int:
    """Return the job id of a reply. Raises ``ValueError``."""
    # Each put comes here: number_of would cost another call.
    if word.isdigit() and 0 < (job_id := int(word)) <= MAX_JOB_ID:
        return job_id
    raise ValueError(f"{word[:50]!r} instead of a job's id")


def reserved_of(line: bytes) -> tuple[int, int] | None:
    """Return a reserved job's id and size in bytes, or None if there was no job.

    Raises greenstalk's error for any other reply, or ``ValueError``.
    """
    if line in NO_JOB:
        return None
    job_id, size = values_of(line, b"RESERVED")
    return id_of(job_id), size_of(size)
