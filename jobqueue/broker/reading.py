"""A connection that reads a whole tube, and leaves it as it was."""

from collections.abc import Iterable, Iterator
from itertools import repeat

from jobqueue.broker.checks import check_tube
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.replies import id_of, number_of, size_of, values_of

_RESERVE = b"reserve-with-timeout 0\r\n"


class ReadingConnection(OperatorConnection):
    """A connection that reserves jobs only to read them.

    When it is closed, the broker makes them ready again: they are as before, but for
    their count of reserves. beanstalkd has no other way to list the jobs of a tube.
    """

    def watch(self, tubes: Iterable[str]) -> None:
        """Choose the tubes that :meth:`reserve` takes jobs from, on a new connection.

        A tube that does not exist would be made by that.
        """
        watched = [b"watch %b\r\n" % check_tube(tube).encode() for tube in tubes]
        for _ in self.ask_many([*watched, b"ignore default\r\n"], self._read_watching):
            pass

    def reserve(self, count: int) -> Iterator[tuple[int, bytes]]:
        """Reserve up to ``count`` ready jobs; yield their ids and bodies."""
        for found in self.ask_many(repeat(_RESERVE, count), self._read_reserved):
            if found is not None:
                yield found

    def _read_watching(self) -> None:
        (count,) = values_of(self._reader.readline(), b"WATCHING")
        number_of(count)

    def _read_reserved(self) -> tuple[int, bytes] | None:
        line = self._reader.readline()
        if line in {b"TIMED_OUT\r\n", b"DEADLINE_SOON\r\n"}:
            return None
        job_id, size = values_of(line, b"RESERVED")
        return id_of(job_id), self._reader.body(size_of(size))
