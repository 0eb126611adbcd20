"""Talking to beanstalkd: one connection.

This is the only file that knows greenstalk. Other rooms see the errors of
:mod:`jobqueue.errors`, and nothing of a reply.
"""

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import greenstalk

from jobqueue.address import Address
from jobqueue.errors import (
    BrokerDrainingError,
    BrokerOutOfMemoryError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    ConnectionLostError,
    JobQueueError,
    JobTooBigError,
    OptionError,
)
from jobqueue.message import check_tube
from jobqueue.outcome import Buried, Deleted, JobStats, Outcome
from jobqueue.wire import TIMEOUT, BrokerSocket

DEFAULT_PRIORITY = greenstalk.DEFAULT_PRIORITY
DEFAULT_TTR = greenstalk.DEFAULT_TTR  # seconds

_MAX_NUMBER = 2**32 - 1
_MAX_BODY = 2**30  # bytes: the most that beanstalkd's -z allows


# What a broker in good order may answer to a put.
_REFUSALS = (
    greenstalk.BuriedError,
    greenstalk.DrainingError,
    greenstalk.JobTooBigError,
    greenstalk.OutOfMemoryError,
)


@dataclass(frozen=True, slots=True)
class ReservedJob:
    """A job that the broker has handed to this connection."""

    id: int
    body: bytes


class Connection:
    """One connection to beanstalkd, for one thread at a time.

    Numbers and names are checked before a byte is sent. Whatever is not a clean reply
    (none in time, one cut short, nonsense, an interrupt half-way) closes the connection
    for good: the next reply on it might belong to an earlier command.

    Every method that talks to the broker may raise
    :class:`~jobqueue.errors.ConnectionLostError` or
    :class:`~jobqueue.errors.BrokerTimeoutError`.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._using = greenstalk.DEFAULT_TUBE
        self._reserve_is_sent = False
        try:
            self._socket = BrokerSocket.connect_to(address)
        except (OSError, ValueError) as error:  # ValueError: a host that can't be one
            raise BrokerUnreachableError(
                f"beanstalkd at {address} can't be reached: {_reason(error)}"
            ) from error
        self._exchange = _Exchange(self)
        with self._exchange:
            # encoding=None: greenstalk would decode inside of reserve, and the id of a
            # reserved job whose body is not UTF-8 would be lost.
            self._client = greenstalk.Client(self._socket, encoding=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the connection can still be used."""
        return self._socket.fileno() != -1

    def close(self) -> None:
        """Close the connection; the broker makes ready again what it had reserved."""
        self._socket.replies.close()
        self._socket.close()

    def interrupt(self) -> None:
        """End the connection from another thread: a read that waits on it fails now."""
        with suppress(OSError):  # it has ended already, so no read waits on it
            self._socket.shutdown(socket.SHUT_RDWR)

    def put(
        self,
        tube: str,
        body: bytes,
        *,
        priority: int = DEFAULT_PRIORITY,
        delay: int = 0,
        ttr: int = DEFAULT_TTR,
    ) -> int:
        """Put a job into a tube and return its id.

        ``delay`` and ``ttr`` are seconds. Raises the errors of
        :class:`~jobqueue.errors.BrokerError` when the broker takes no jobs now, and
        :class:`~jobqueue.errors.JobTooBigError`.
        """
        command = b"put %d %d %d %d\r\n%b\r\n" % (
            _number("priority", priority),
            _number("delay", delay),
            _number("ttr", ttr, least=1),
            len(body),
            body,
        )
        use = self._using != check_tube(tube)
        if use:
            command = b"use %b\r\n%b" % (tube.encode(), command)
        with self._exchange:
            self._socket.sendall(command)
            if use:
                self._reply(b"USING")
                self._using = tube
            try:
                return int(self._reply(b"INSERTED")[0])
            except _REFUSALS as error:
                raise self._refusal(error, tube, len(body)) from error

    def watch_only(self, tubes: Iterable[str]) -> None:
        """Reserve from these tubes from now on, and from no others."""
        wanted = {check_tube(tube) for tube in tubes}
        with self._exchange:
            watched = set(self._client.watching())
            for tube in sorted(wanted - watched):
                self._client.watch(tube)
            for tube in sorted(watched - wanted):
                self._client.ignore(tube)

    def reserve(self, timeout: int) -> ReservedJob | None:
        """Wait for a job for that many seconds; None if there was none.

        Reads the answer if :meth:`settle` has asked for the job already.
        """
        self._socket.wait_at_least(timeout + TIMEOUT)
        with self._exchange:
            if not self._reserve_is_sent:
                self._socket.sendall(_reserve(timeout))
            self._reserve_is_sent = False
            try:
                job_id, size = map(int, self._reply(b"RESERVED"))
            except (greenstalk.TimedOutError, greenstalk.DeadlineSoonError):
                return None
            if not 0 <= size <= _MAX_BODY:
                raise ValueError(f"a job of {size} bytes")
            return ReservedJob(job_id, self._socket.replies.read(size + 2)[:-2])

    def settle(
        self, job: ReservedJob, outcome: Outcome, *, reserve: int | None = None
    ) -> bool:
        """Tell the broker what becomes of a job, and ask for the next in one write.

        ``reserve`` is for how many seconds to wait for the next job; None asks for
        none. The next call has to be :meth:`reserve` then.

        Returns False if the reservation was lost (the job's ttr was over), so that the
        verdict is void and the job may run twice.
        """
        match outcome:
            case Deleted():
                command, expected = b"delete %d\r\n" % job.id, b"DELETED"
            case Buried(priority):
                command, expected = b"bury %d %d\r\n" % (job.id, priority), b"BURIED"
        if reserve is not None:
            command += _reserve(reserve)
        with self._exchange:
            self._socket.sendall(command)
            self._reserve_is_sent = reserve is not None
            try:
                self._reply(expected)
            except greenstalk.NotFoundError:
                return False
            return True

    def stats_job(self, job: ReservedJob) -> JobStats | None:
        """Return what the broker counts of a job; None if there is no such job."""
        with self._exchange:
            try:
                stats = self._client.stats_job(job.id)
            except greenstalk.NotFoundError:
                return None
            return JobStats(
                tube=stats["tube"], priority=stats["pri"], kicks=stats["kicks"]
            )

    def _reply(self, expected: bytes) -> list[bytes]:
        """Read one reply line and return its values.

        greenstalk reads a reply only to a command that it has just sent by itself.
        """
        status, *values = self._socket.replies.readline().split()
        if status == expected:
            return values
        if status in greenstalk.ERROR_RESPONSES:
            raise greenstalk.ERROR_RESPONSES[status](values)
        raise greenstalk.UnknownResponseError(status, values)

    def _refusal(
        self, error: greenstalk.BeanstalkdError, tube: str, size: int
    ) -> JobQueueError:
        """Return what to raise for a put that the broker refused."""
        broker = f"beanstalkd at {self.address}"
        match error:
            case greenstalk.JobTooBigError():
                limit = self._client.stats()["max-job-size"]
                return JobTooBigError(
                    f"a job of {size} bytes for tube {tube!r} is too big: {broker} "
                    f"takes {limit} at most. Put a reference to the data (a path, "
                    "a key), or start beanstalkd with a larger -z."
                )
            case greenstalk.DrainingError():
                return BrokerDrainingError(
                    f"{broker} is draining (it got SIGUSR1) and takes no new jobs"
                )
            case greenstalk.BuriedError(id=job_id):
                return BrokerOutOfMemoryError(
                    f"{broker} is out of memory: it buried the job at once, as {job_id}"
                )
            case _:
                return BrokerOutOfMemoryError(
                    f"{broker} is out of memory and did not take the job"
                )


class _Exchange:
    """Commands and their replies: the connection is closed if they come apart.

    Out of a clean answer the code inside makes a result or an error of jobqueue's; any
    other error that leaves it says that the stream may be out of step. After BAD_FORMAT
    for one, beanstalkd reads the rest of the command as the next.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, JobQueueError):
            return
        self._connection.close()
        broker = f"beanstalkd at {self._connection.address}"
        if isinstance(error, TimeoutError):
            raise BrokerTimeoutError(f"{broker} did not answer in time") from error
        if isinstance(error, Exception):
            raise ConnectionLostError(
                f"the connection to {broker} was lost: {_reason(error)}"
            ) from error


def _reserve(timeout: int) -> bytes:
    return b"reserve-with-timeout %d\r\n" % _number("timeout", timeout)


def _number(name: str, value: int, *, least: int = 0) -> int:
    """Return the number, if the broker takes it.

    beanstalkd answers one out of range with BAD_FORMAT, and would then read the job's
    body as commands.
    """
    if type(value) is int and least <= value <= _MAX_NUMBER:
        return value
    raise OptionError(
        f"{name} has to be a whole number from {least} to {_MAX_NUMBER}, not {value!r}"
    )


def _reason(error: Exception) -> str:
    """Return the cause in words that a person can read."""
    if isinstance(error, greenstalk.Error):
        return f"an answer that makes no sense here, {type(error).__name__} {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
