"""A connection that keeps the ticks of schedules, each in a tube of its own."""

from collections.abc import Iterable
from typing import NamedTuple

from jobqueue.broker.checks import check_id
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.producing import use_command
from jobqueue.broker.replies import id_of, size_of


class FoundJob(NamedTuple):
    """A job's id and its body."""

    id: int
    body: bytes


class TickingConnection(OperatorConnection, ConsumerConnection):
    """A connection that reserves the ticks of schedules, puts and deletes them."""

    def first_delayed(self, tubes: Iterable[str]) -> list[FoundJob | None]:
        """Return the delayed job of each tube that is ready next; None if none is."""

        def read() -> FoundJob | None:
            (tube,) = self.read_values(b"USING") or [b""]
            self.using = tube.decode("ascii")
            values = self.read_values(b"FOUND")
            if values is None:
                return None
            job_id, size = values
            return FoundJob(id_of(job_id), self._reader.body(size_of(size)))

        commands = (use_command(tube) + b"peek-delayed\r\n" for tube in tubes)
        return list(self.ask_many(commands, read))

    def reserve_job(self, job_id: int) -> bytes | None:
        """Reserve a job in any state, and return its body; None if another has it.

        Needs beanstalkd 1.12.
        """
        check_id(job_id)
        command = b"reserve-job %d\r\n" % job_id
        return self.ask(command, lambda: self.read_body(b"RESERVED"))
