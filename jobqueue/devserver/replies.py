"""The words of the replies."""

from jobqueue.devserver.records import NoJob, StoredJob, StoredJobState

BAD_FORMAT = b"BAD_FORMAT\r\n"
DRAINING = b"DRAINING\r\n"
EXPECTED_CRLF = b"EXPECTED_CRLF\r\n"
JOB_TOO_BIG = b"JOB_TOO_BIG\r\n"
NOT_FOUND = b"NOT_FOUND\r\n"
NOT_IGNORED = b"NOT_IGNORED\r\n"
UNKNOWN_COMMAND = b"UNKNOWN_COMMAND\r\n"


def reserved(result: StoredJob | NoJob) -> bytes:
    """Return the reply to a reserve."""
    return job("RESERVED", result) if isinstance(result, StoredJob) else result.value


def found(result: StoredJob | None) -> bytes:
    """Return the reply to a peek."""
    if result is None or result.state is StoredJobState.INVALID:
        return NOT_FOUND
    return job("FOUND", result)


def job(word: str, shown: StoredJob) -> bytes:
    """Return a reply that has a job's id and its body."""
    line = f"{word} {shown.id} {len(shown.body)}\r\n".encode()
    return line + shown.body + b"\r\n"


def done(word: bytes, is_done: object) -> bytes:
    """Return the word of success, or NOT_FOUND."""
    return word + b"\r\n" if is_done else NOT_FOUND


def chunk(data: bytes) -> bytes:
    """Return a reply that is a document of YAML."""
    return b"OK %d\r\n%b\r\n" % (len(data), data)
