"""A connection that reads a whole tube, and leaves it as it was."""

from collections.abc import Iterator
from itertools import repeat

from jobqueue.broker.consuming import ConsumerConnection, reserve_command
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.replies import reserved_of


class ReadingConnection(OperatorConnection, ConsumerConnection):
    """A connection that reserves jobs only to read them.

    When it is closed, the broker makes them ready again: they are as before, but for
    their count of reserves. beanstalkd has no other way to list the jobs of a tube.
    """

    def read_many(self, count: int) -> Iterator[tuple[int, bytes]]:
        """Reserve up to ``count`` ready jobs of the watched tubes.

        Yields their ids and bodies.
        """
        commands = repeat(reserve_command(0), count)
        for found in self.ask_many(commands, self._read_reserved):
            if found is not None:
                yield found

    def _read_reserved(self) -> tuple[int, bytes] | None:
        reserved = reserved_of(self._reader.readline())
        if reserved is None:
            return None
        job_id, size = reserved
        return job_id, self._reader.body(size)
