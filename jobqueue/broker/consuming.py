"""Talking to beanstalkd as a worker does: to reserve jobs, and to settle them."""

import functools
import socket
from collections.abc import Iterable
from contextlib import suppress

from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube, whole_number
from jobqueue.broker.connection import Connection
from jobqueue.broker.outcomes import Buried, Deleted, Outcome, Released
from jobqueue.broker.replies import NOT_FOUND, id_of, size_of, values_of
from jobqueue.broker.stats import JobStats

_NO_JOB = {b"TIMED_OUT\r\n", b"DEADLINE_SOON\r\n"}


class ConsumerConnection(Connection):
    """A connection that jobs are reserved on, and settled.

    A reservation belongs to its connection. When that is closed, the job is ready.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._reserve_is_sent = False

    @property
    def awaits_job(self) -> bool:
        """Whether :meth:`settle` has asked for a job that nobody has read yet."""
        return self._reserve_is_sent

    def has_received(self) -> bool:
        """Tell, from another thread, whether a read that waits is about to end."""
        try:
            return self._socket.has_received()
        except (OSError, ValueError):  # it has ended, so no read waits on it
            return False

    def interrupt(self) -> None:
        """End the connection from another thread: a read that waits on it fails now."""
        with suppress(OSError):  # it has ended already, so no read waits on it
            self._socket.shutdown(socket.SHUT_RDWR)

    def watch_only(self, tubes: Iterable[str]) -> None:
        """Reserve from these tubes from now on, and from no others."""
        wanted = {check_tube(tube) for tube in tubes}
        with self._exchange:
            watched = set(self._client.watching())
            for tube in sorted(wanted - watched):
                self._client.watch(tube)
            for tube in sorted(watched - wanted):
                self._client.ignore(tube)

    # Every job of a worker goes through the next two. They enter no exchange, which
    # costs time, but leave it by the same door if they come apart.

    def reserve(self, timeout: int) -> tuple[int, bytes] | None:
        """Wait for a job for that many seconds; return its id and body, or None.

        Reads the answer if :meth:`settle` has asked for the job already.
        """
        try:
            if not self._reserve_is_sent:
                self._socket.sendall(_reserve(timeout))
            self._reserve_is_sent = False
            line = self._replies.readline_after(timeout)
            if line in _NO_JOB:
                return None
            job_id, size = values_of(line, b"RESERVED")
            return id_of(job_id), self._replies.body(size_of(size))
        except BaseException as error:
            self._exchange.fail(error)
            raise

    def settle(
        self, job_id: int, outcome: Outcome, *, reserve: int | None = None
    ) -> bool:
        """Tell the broker what becomes of a job, and ask for the next in one write.

        ``reserve`` is for how many seconds to wait for the next job; None asks for
        none. The next call has to be :meth:`reserve` then.

        Returns False if the reservation was lost (the job's ttr was over), so that the
        verdict is void and the job may run twice.
        """
        match outcome:
            case Deleted():
                command, expected = b"delete %d\r\n" % job_id, b"DELETED\r\n"
            case Released(priority, delay):
                command = b"release %d %d %d\r\n" % (job_id, priority, delay)
                expected = b"RELEASED\r\n"
            case Buried(priority):
                command = b"bury %d %d\r\n" % (job_id, priority)
                expected = b"BURIED\r\n"
        if reserve is not None:
            command += _reserve(reserve)
        try:
            self._socket.sendall(command)
            self._reserve_is_sent = reserve is not None
            return self._is_confirmed(expected)
        except BaseException as error:
            self._exchange.fail(error)
            raise

    def touch(self, job_id: int) -> bool:
        """Start the job's time to run anew.

        Returns False if the reservation was lost.
        """
        with self._exchange:
            self._socket.sendall(b"touch %d\r\n" % job_id)
            return self._is_confirmed(b"TOUCHED\r\n")

    def stats_job(self, job_id: int) -> JobStats | None:
        """Return what the broker counts of a job; None if there is no such job."""
        return self.ask(b"stats-job %d\r\n" % job_id, self._read_stats)

    def _is_confirmed(self, expected: bytes) -> bool:
        """Read one reply line: this one, or False if it is NOT_FOUND."""
        line = self._replies.readline()
        if line == expected:
            return True
        if line == NOT_FOUND:
            return False
        values_of(line, expected)  # raises, or finds it after all
        return True

    def _read_stats(self) -> JobStats | None:
        chunk = self.answer_with_chunk(b"OK")
        return None if chunk is None else JobStats.parse(chunk)


@functools.lru_cache(maxsize=8, typed=True)  # it is part of each job's settling
def _reserve(timeout: int) -> bytes:
    return b"reserve-with-timeout %d\r\n" % whole_number("timeout", timeout)
