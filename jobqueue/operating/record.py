"""JobRecord: a job as the broker has it."""

from dataclasses import dataclass
from functools import cached_property

from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import BadJobError
from jobqueue.job.body import Message, decode


@dataclass(frozen=True)
class JobRecord:
    """A job as the broker has it: its counts, and its body, which may be any bytes.

    ``stats`` has the counts: ``age``, ``priority``, ``reserves``, ``kicks`` and others.
    """

    stats: JobStats
    body: bytes

    @property
    def id(self) -> int:
        """The job's id: the broker's, which starts again when the broker does."""
        return self.stats.id

    @property
    def tube(self) -> str:
        """The tube that the job is in."""
        return self.stats.tube

    @property
    def state(self) -> JobState:
        """The job's state: ready, delayed, reserved or buried."""
        return self.stats.state

    @property
    def func_name(self) -> str | None:
        """The name of the task's function; None if the body is no job of jobqueue."""
        return self.message.func_name if self.message else None

    @property
    def kwargs(self) -> dict[str, object] | None:
        """The arguments; None if the body is no job of jobqueue."""
        return self.message.kwargs if self.message else None

    @property
    def headers(self) -> dict[str, str] | None:
        """What was put beside the arguments; None if the body is no job of jobqueue."""
        return self.message.headers if self.message else None

    @cached_property
    def message(self) -> Message | None:
        """What the body says; None if it is not a job of jobqueue."""
        return message_of(self.body)


def message_of(body: bytes) -> Message | None:
    """Return the message in a body; None if the body is not a job of jobqueue."""
    try:
        return decode(body)
    except BadJobError:
        return None
