"""A connection that reserves and settles jobs, as a worker does."""

import functools
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from greenstalk import DEFAULT_TUBE, JobTooBigError

from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube, whole_number
from jobqueue.broker.connection import Connection
from jobqueue.broker.failures import REFUSALS, refused_in_short
from jobqueue.broker.producing import put_command, use_command
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.replies import NO_JOB, id_of, number_of, size_of, values_of
from jobqueue.broker.settlement import (
    DONE,
    Outcome,
    SidePut,
    SidePutReply,
    command_of,
)
from jobqueue.broker.stats import JobStats
from jobqueue.errors import BrokerError

T = TypeVar("T")


class Touched(NamedTuple):
    """The reply to :meth:`ConsumerConnection.begin_touch`."""

    is_reserved: bool  # False: the reservation was lost
    stats: JobStats | None  # None: they were not asked for, or there is no such job


class ConsumerConnection(Connection):
    """A connection that reserves jobs and settles them.

    A reservation belongs to its connection: when the connection is closed, the broker
    makes the job ready again.

    ``is_lone`` says that no other connection of this process reserves jobs. Then
    nothing else has to run here while a job is settled.
    """

    def __init__(self, address: Address, *, is_lone: bool = False) -> None:
        super().__init__(address)
        self._spin = self._socket.spin if is_lone else None
        self._watched = {DEFAULT_TUBE}
        self._reserve_is_sent = False
        self._unread = 0  # replies to begin_touch
        self._touched: Touched | None = None  # what end_touch returns next
        self._side_tube = DEFAULT_TUBE  # that settle_and_put puts into
        self._read_side_put: Callable[[], object] | None = None
        self._failure: BrokerError | None = None  # of a put beside a settlement

    @property
    def awaits_job(self) -> bool:
        """Whether :meth:`settle` has requested a job that is still to be read."""
        return self._reserve_is_sent

    def has_received(self) -> bool:
        """Return whether a waiting read is about to end. For any thread."""
        try:
            return self._socket.has_received()
        except OSError:  # the connection is closed: no read waits
            return False

    def interrupt(self) -> None:
        """Shut the connection down, so that a waiting read fails. For any thread."""
        with suppress(OSError):  # the connection is closed: no read waits
            self._socket.shutdown(socket.SHUT_RDWR)

    def watch_only(self, tubes: Iterable[str]) -> None:
        """Choose the tubes that later calls of :meth:`reserve` take jobs from.

        One write for all of them: a broker may be far away.
        """
        wanted = {check_tube(tube) for tube in tubes}
        new, old = wanted - self._watched, self._watched - wanted
        commands = [
            *(b"watch %b\r\n" % tube.encode() for tube in sorted(new)),
            *(b"ignore %b\r\n" % tube.encode() for tube in sorted(old)),
        ]
        for _ in self.ask_many(commands, self._read_watching):
            pass
        self._watched = wanted

    # Every job of a worker goes through reserve() and settle(). They catch errors
    # themselves, as entering `with self._exchange` takes time.

    def reserve(self, timeout: int) -> tuple[int, bytes] | None:
        """Wait up to ``timeout`` seconds for a job; return its id and body, or None.

        If :meth:`settle` has requested the job already, only the reply is read. A body
        for which there is no memory is a ``DroppedBody``.
        """
        try:
            if not self._reserve_is_sent:
                self._socket.send_all(reserve_command(timeout))
            elif (
                (spin := self._spin) and not spin.skips and not self._reader.has_line()
            ):
                self._reader.keep(spin.receive_next())
            self._reserve_is_sent = False
            if self._unread:
                self._read_touched()
            if self._read_side_put is not None:
                self._read_side_put()
            self._socket.deadline = None
            line = self._reader.readline(timeout)
            self._socket.deadline = None  # the body has the usual time-out
            if line in NO_JOB:
                return None
            job_id, size = values_of(line, b"RESERVED")
            try:
                return id_of(job_id), self._reader.body(size_of(size))
            except MemoryError:  # its traceback holds what has been received so far
                pass
            return id_of(job_id), self._reader.drop_body(size_of(size))
        except BaseException as error:
            if self._failure is not None:
                raise self._failure from None
            self._exchange.fail(error)
            raise

    def settle(
        self, job_id: int, outcome: Outcome, *, reserve: int | None = None
    ) -> bool:
        """Delete, release or bury a job; in the same write, request the next job.

        ``reserve`` is how many seconds the broker waits for the next job; without it,
        no job is requested. After a request the next call must be :meth:`reserve`.

        Returns False if the reservation was lost because the job's ttr was over. Then
        nothing was done to the job, and it may run twice.
        """
        if outcome is DONE:  # as nearly every job is: without a call
            command, expected = b"delete %d\r\n" % job_id, b"DELETED\r\n"
        else:
            command, expected = command_of(job_id, outcome)
        if reserve is not None:
            command += reserve_command(reserve)
        try:
            self._socket.send_all(command)
            self._reserve_is_sent = reserve is not None
            spin = self._spin
            if spin is not None:
                if spin.skips:
                    spin.skips -= 1
                else:
                    self._reader.keep(spin.receive())
            if self._unread:
                self._read_touched()
            return self.read_confirmation(expected)
        except BaseException as error:
            self._exchange.fail(error)
            raise

    def settle_and_put(
        self,
        job_id: int,
        outcome: Outcome,
        side_put: SidePut,
        on_reply: Callable[[SidePutReply], object],
        *,
        reserve: int | None = None,
    ) -> bool:
        """Settle a job like :meth:`settle`, and put another one in the same write.

        What becomes of the put changes nothing about the settlement. ``on_reply`` is
        called with its reply: by the next :meth:`reserve`, if the next job is
        requested, as the reply comes just before that job, and now otherwise. If no
        reply comes, the connection is closed, and the next :meth:`reserve` raises why.
        """
        command, expected = command_of(job_id, outcome)
        if side_put.tube != self._side_tube:
            command += use_command(side_put.tube)
        command += put_command(PutOptions(priority=side_put.priority), side_put.body)
        if reserve is not None:
            command += reserve_command(reserve)
        with self._exchange:
            self._socket.send_all(command)
            self._reserve_is_sent = reserve is not None
            if self._unread:
                self._read_touched()
            is_settled = self.read_confirmation(expected)
        self._read_side_put = functools.partial(
            self._read_side_put_of, side_put.tube, on_reply, is_settled=is_settled
        )
        if reserve is None:
            try:
                with self._exchange:
                    self._read_side_put()
            except BrokerError as failure:
                self._failure = failure
        return is_settled

    def touch(self, job_id: int) -> bool:
        """Restart the job's ttr. Returns False if the reservation was lost."""
        return self.ask(b"touch %d\r\n" % job_id, self._read_touch)

    def begin_touch(self, job_id: int, *, with_stats: bool) -> None:
        """Send a touch, and maybe a question for the counts; wait for no reply.

        :meth:`end_touch` has to return the reply before the next call of this. Other
        methods may be called meanwhile.
        """
        self._touched = None
        command = b"touch %d\r\n" % job_id
        if with_stats:
            command += b"stats-job %d\r\n" % job_id
        with self._exchange:
            self._socket.send_all(command)
            self._unread = 1 + with_stats

    def end_touch(self) -> Touched | None:
        """Return the reply to :meth:`begin_touch`; None if it is not there yet."""
        with self._exchange:
            if self._unread:
                self._reader.receive_available()
                if not self._reader.has_replies(self._unread):
                    return None
                self._read_touched()
        return self._touched

    def begin_release(self, job_id: int, priority: int) -> None:
        """Release a job without a delay, and wait for no reply: see end_release()."""
        with self._exchange:
            self._socket.send_all(b"release %d %d 0\r\n" % (job_id, priority))

    def end_release(self) -> bool:
        """Read the reply to begin_release(); False if the reservation was lost."""
        with self._exchange:
            if self._unread:
                self._read_touched()
            return self.read_confirmation(b"RELEASED\r\n")

    def stats_job(self, job_id: int) -> JobStats | None:
        """Return the broker's counts of a job; None if there is no such job."""
        return self.ask(b"stats-job %d\r\n" % job_id, self._read_stats)

    def ask(self, command: bytes, read: Callable[[], T]) -> T:
        """Send one command, and return what ``read`` makes of the reply."""
        with self._exchange:
            self._socket.send_all(command)
            if self._unread:
                self._read_touched()
            return read()

    def _read_side_put_of(
        self,
        tube: str,
        on_reply: Callable[[SidePutReply], object],
        *,
        is_settled: bool,
    ) -> None:
        """Read the reply to the put that was sent beside a settlement."""
        self._read_side_put = None
        if tube != self._side_tube:
            values_of(self._reader.readline(), b"USING")
            self._side_tube = tube
        try:
            (put_id,) = values_of(self._reader.readline(), b"INSERTED")
        except REFUSALS as error:
            is_too_big = isinstance(error, JobTooBigError)
            why = refused_in_short(error)
            on_reply(SidePutReply(is_settled, refusal=why, is_too_big=is_too_big))
        else:
            on_reply(SidePutReply(is_settled, id_of(put_id)))

    def _read_touched(self) -> None:
        """Read the replies to the touch that was sent before this command."""
        has_stats = self._unread > 1
        is_reserved = self._read_touch()
        self._touched = Touched(is_reserved, self._read_stats() if has_stats else None)
        self._unread = 0

    def _read_touch(self) -> bool:
        return self.read_confirmation(b"TOUCHED\r\n")

    def _read_watching(self) -> None:
        (count,) = values_of(self._reader.readline(), b"WATCHING")
        number_of(count)

    def _read_stats(self) -> JobStats | None:
        chunk = self.read_chunk()
        return None if chunk is None else JobStats.parse(chunk)


@functools.lru_cache(maxsize=8, typed=True)  # called for each job
def reserve_command(timeout: int) -> bytes:
    """Return the command that waits up to ``timeout`` seconds for a job."""
    return b"reserve-with-timeout %d\r\n" % whole_number("timeout", timeout)
