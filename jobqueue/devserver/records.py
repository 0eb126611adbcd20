"""The records of the development server's jobs, tubes and clients.

Times are whole nanoseconds of the broker's clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from jobqueue.devserver.ordering import Queue, Rotation

SECOND = 10**9  # nanoseconds
NEVER = 2**100  # beyond any time
MAX_JOB_SIZE = 65535  # bytes, by default


class StoredJobState(Enum):
    """Where a job is in its life.

    INVALID is a job whose body has not arrived yet, and a job that was deleted.
    """

    READY = "ready"
    RESERVED = "reserved"
    DELAYED = "delayed"
    BURIED = "buried"
    INVALID = "invalid"


class NoJob(Enum):
    """Why a client that waited for a job got none; the values are the replies."""

    TIMED_OUT = b"TIMED_OUT\r\n"
    DEADLINE_SOON = b"DEADLINE_SOON\r\n"


@dataclass(eq=False, slots=True)
class StoredJob:
    """A job, and the counts that ``stats-job`` shows."""

    id: int
    tube: "Tube"
    priority: int
    delay: int
    ttr: int
    created_at: int
    body: bytes = b""
    state: StoredJobState = StoredJobState.INVALID
    deadline: int = 0  # while reserved or delayed
    holder: "Client | None" = None  # while reserved
    reserves: int = 0
    timeouts: int = 0
    releases: int = 0
    buries: int = 0
    kicks: int = 0


@dataclass(eq=False, slots=True)
class Tube:
    """A tube, its jobs, and the counts that ``stats-tube`` shows."""

    name: str
    number: int
    ready: Queue[StoredJob] = field(default_factory=Queue)
    delayed: Queue[StoredJob] = field(default_factory=Queue)
    buried: dict[StoredJob, None] = field(default_factory=dict)
    waiting: "Rotation[Client]" = field(default_factory=Rotation)
    references: int = 0  # jobs in the tube, and clients that use or watch it
    using: int = 0
    watching: int = 0
    urgent: int = 0
    reserved: int = 0
    total_jobs: int = 0
    deletes: int = 0
    pauses: int = 0
    pause: int = 0
    paused_until: int = 0


@dataclass(eq=False, slots=True)
class Client:
    """A connection, as the broker sees it.

    ``answer`` is called with the result of a reserve: during the command or later.
    """

    number: int
    answer: Callable[[StoredJob | NoJob], None]
    uses: Tube
    watches: Rotation[Tube] = field(default_factory=Rotation)
    reserved: Queue[StoredJob] = field(default_factory=Queue)
    is_waiting: bool = False
    waits_until: int = NEVER
    alarm: int = NEVER
    is_half_closed: bool = False
    is_producer: bool = False
    is_worker: bool = False

    def has_ready_job(self) -> bool:
        """Return whether a watched tube has a ready job, paused or not."""
        return any(tube.ready for tube in self.watches)
