"""The outcomes of a reserved job that a worker can tell the broker, as values."""

from typing import NamedTuple


class Deleted(NamedTuple):
    """The job is deleted: it succeeded, or it failed once too often."""


class Released(NamedTuple):
    """The job is tried again after ``delay`` seconds, at the priority it had."""

    priority: int
    delay: int


class Buried(NamedTuple):
    """The job is set aside, at the priority it had, until an operator kicks it."""

    priority: int


Outcome = Deleted | Released | Buried


class SidePut(NamedTuple):
    """A job that is put in the same write as another one is settled."""

    tube: str
    priority: int
    body: bytes


class SidePutReply(NamedTuple):
    """The replies to a settlement and to the put beside it."""

    is_settled: bool  # False: the reservation was lost
    put_id: int | None = None  # None: it was refused
    refusal: str = ""  # why the broker refused it
    is_too_big: bool = False  # the job that was put


DONE = Deleted()


def command_of(job_id: int, outcome: Outcome) -> tuple[bytes, bytes]:
    """Return the command that settles a job, and the reply to expect."""
    match outcome:
        case Deleted():
            return b"delete %d\r\n" % job_id, b"DELETED\r\n"
        case Released(priority, delay):
            return b"release %d %d %d\r\n" % (job_id, priority, delay), b"RELEASED\r\n"
        case Buried(priority):
            return b"bury %d %d\r\n" % (job_id, priority), b"BURIED\r\n"
