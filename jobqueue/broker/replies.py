"""Reply lines: reading their values, or making errors of them."""

import greenstalk

from jobqueue.broker.checks import MAX_JOB_ID

NOT_FOUND = b"NOT_FOUND\r\n"
NO_ROOM = "is out of memory, or has no room for its binlog"

_MAX_BODY = 2**30  # bytes: the most that beanstalkd's -z allows


def values_of(line: bytes, expected: bytes) -> list[bytes]:
    """Return the values of a reply line.

    Raises greenstalk's error for any reply but the expected one.
    """
    status, *values = line.split() or [b""]
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
    raise ValueError(f"{word!r} instead of a number")


def size_of(word: bytes) -> int:
    """Return the size of a body or chunk in bytes. Raises ``ValueError``."""
    size = number_of(word)
    if size <= _MAX_BODY:
        return size
    raise ValueError(f"a reply of {size} bytes")


def id_of(word: bytes) -> int:
    """Return the job id of a reply. Raises ``ValueError``."""
    job_id = number_of(word)
    if 0 < job_id <= MAX_JOB_ID:
        return job_id
    raise ValueError(f"a job of id {job_id}")


def reason_for(error: Exception) -> str:
    """Return what a user should read of an error that ended a connection."""
    if isinstance(error, greenstalk.OutOfMemoryError | greenstalk.InternalError):
        return (
            f"it {NO_ROOM}. A job that it could not settle is ready after its restart"
        )
    if isinstance(error, greenstalk.Error):
        return f"an answer that makes no sense here, {type(error).__name__} {error}"
    if isinstance(error, ValueError | IndexError):
        return f"an answer that makes no sense here: {error}"
    return words_of(error)


def words_of(error: Exception) -> str:
    """Return an error's own words, or else its name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
