"""LoopConnection: a connection on which an asyncio event loop puts jobs."""

import asyncio
from collections import deque
from collections.abc import Callable

import greenstalk

from jobqueue.broker.address import Address
from jobqueue.broker.clock import clock
from jobqueue.broker.failures import (
    REFUSALS,
    lost_by,
    refused,
    silent,
    unreachable,
)
from jobqueue.broker.loop_socket import LoopSocket
from jobqueue.broker.pending_put import LimitQuestion, PendingPut
from jobqueue.broker.producing import ASK_AFTER, put_command, use_command
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.replies import id_of, size_of, values_of
from jobqueue.broker.server_stats import ServerStats
from jobqueue.errors import BrokerError, JobQueueError

_MAX_REPLY = 2**16  # bytes: beanstalkd's longest, the statistics, has some 1,000
_BATCH_BYTES = 2**18  # in one write
_NEVER = float("inf")


class LoopConnection:
    """A connection for one event loop, which all puts of the loop share.

    Puts that are made at the same time share their writes, and the broker answers in
    order. The reply to a put that was cancelled is read, and dropped.

    Except where a method says otherwise, call it in the thread of the loop.
    """

    def __init__(
        self,
        address: Address,
        loop: asyncio.AbstractEventLoop,
        on_retired: Callable[["LoopConnection"], object],
    ) -> None:
        self.loop = loop
        self.timeout = address.timeout
        self.is_connected = False
        self.is_new = True  # nothing has been received so far
        self._address = address
        self._on_retired = on_retired
        self._is_retired = False  # takes no more puts, and is closed when it has none
        self._unsent: deque[PendingPut] = deque()
        self._sent: deque[PendingPut | None] = deque()  # None: a `use`
        self._using = greenstalk.DEFAULT_TUBE  # after all that was sent
        self._may_write = False  # not while it connects, asks, or the buffer is full
        self._is_flush_due = False
        self._ask_until = _NEVER  # by the loop's clock, while it asks
        self._rest = b""  # of what was received: the beginning of a line
        self._chunk_size: int | None = None  # bytes: of the statistics that come next
        self._last_put = clock()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_time = _NEVER
        self._socket = LoopSocket(address, loop, self)
        self._socket.connect()

    def put(
        self, tube: str, body: bytes, options: PutOptions, deadline: float
    ) -> asyncio.Future[int]:
        """Put a job into a tube, and return the future of its id.

        ``deadline`` is a time by the loop's clock. The future raises the errors of
        :meth:`ProducerConnection.put
        <jobqueue.broker.producing.ProducerConnection.put>`.
        """
        future: asyncio.Future[int] = self.loop.create_future()
        command = put_command(options, body)
        self._unsent.append(PendingPut(future, command, tube, len(body), deadline))
        if deadline < self._alarm_time:
            self._set_alarm(deadline)
        if self._sent or not self._may_write:
            self._flush_soon()
        elif clock() - self._last_put > ASK_AFTER:
            self._ask()
        else:
            self._flush()
        return future

    def retire(self) -> None:
        """Take no more puts, and close the connection when it has none.

        If the loop is closed, the connection is closed at once.
        """
        if not self._is_retired:
            self._is_retired = True
            self._on_retired(self)
        self._close_if_done()

    def close_copy(self) -> None:
        """Close the socket in a forked child: the parent still uses the connection."""
        self._socket.close_copy()

    def unread(self) -> bytes:
        """Return what has been received, but not read yet."""
        return self._rest

    # What the socket calls.

    def on_connected(self) -> None:
        """Send the puts that wait for the connection."""
        self.is_connected = True
        self._write_again()

    def on_unreachable(self, error: Exception) -> None:
        """Fail the puts that wait for the connection."""
        self._fail_all(lambda: unreachable(self._address, error))

    def on_lost(self, error: Exception) -> None:
        """Fail all puts that have no answer."""
        self._fail_all(lambda: lost_by(self._address, error, self))

    def on_written(self) -> None:
        """Send the puts that wait for room in the buffer."""
        self._write_again()

    def on_received(self, data: bytes) -> None:
        """Read replies. Raises an error for one that makes no sense."""
        self.is_new = False
        lines = (self._rest + data).split(b"\r\n")
        self._rest = lines.pop()
        sent = self._sent
        for line in lines:
            if not sent:
                raise ConnectionError("it sent a reply to no command")
            put = sent[0]
            if type(put) is PendingPut and line.startswith(b"INSERTED "):
                if not put.future.done():
                    put.future.set_result(id_of(line[9:]))
            else:
                self._read_other(put, line)
            sent.popleft()  # not before: after an error it still has no answer
        if len(self._rest) > _MAX_REPLY:
            raise ConnectionError("the reply does not end")
        if self._is_retired:
            self._close_if_done()

    def _read_other(self, put: PendingPut | None, line: bytes) -> None:
        """Read a line that is no reply of a put that went well."""
        if put is None:
            (_tube,) = values_of(line, b"USING")
            if self._ask_until < _NEVER:
                self._ask_until = _NEVER
                self.loop.call_soon(self._write_again)
        elif isinstance(put, LimitQuestion):
            self._read_limit(put, line)
        else:
            try:
                values_of(line, b"INSERTED")
            except REFUSALS as error:
                self._refuse(put, error)
            else:
                raise ValueError(line)

    def _refuse(self, put: PendingPut, error: greenstalk.BeanstalkdError) -> None:
        if isinstance(error, greenstalk.JobTooBigError):
            # The error tells the limit: ask for it, by the put's own deadline.
            question = LimitQuestion(*put._replace(command=b"stats\r\n"))
            self._unsent.append(question)
            self._flush_soon()
        elif not put.future.done():
            put.future.set_exception(self._refused(put, error))

    def _read_limit(self, put: PendingPut, line: bytes) -> None:
        """Read a line of the statistics: the first has the size of all others."""
        if self._chunk_size is None:
            self._chunk_size = size_of(values_of(line, b"OK")[-1])
            self._sent.appendleft(put)  # for the next line
            return
        if len(line) != self._chunk_size:
            raise ValueError("statistics of another size than it says")
        self._chunk_size = None
        limit = ServerStats.parse(line).max_job_size
        if not put.future.done():
            error = greenstalk.JobTooBigError()
            put.future.set_exception(self._refused(put, error, limit))

    def _refused(
        self, put: PendingPut, error: greenstalk.BeanstalkdError, limit: int = 0
    ) -> JobQueueError:
        return refused(error, self._address, put.tube, put.size, limit)

    def _ask(self) -> None:
        """Before a put rides on a connection that was idle, ask if it is alive.

        What lies between may have forgotten it. A put that was sent could then be lost,
        or not; one that was not sent can take another connection.
        """
        self._may_write = False
        self._ask_until = self.loop.time() + self.timeout / 2
        if self._ask_until < self._alarm_time:
            self._set_alarm(self._ask_until)
        self._sent.append(None)
        self._write(use_command(self._using))

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send the puts that are to be sent, many in a write."""
        self._is_flush_due = False
        unsent, sent = self._unsent, self._sent
        while unsent and self._may_write:
            commands: list[bytes] = []
            size = 0
            while unsent and size < _BATCH_BYTES:
                put = unsent.popleft()
                if put.future.done():  # cancelled, or too late
                    continue
                if put.tube != self._using:
                    commands.append(use_command(put.tube))
                    self._using = put.tube
                    sent.append(None)
                commands.append(put.command)
                sent.append(put)
                size += len(put.command)
            self._write(b"".join(commands))
        self._last_put = clock()

    def _write(self, data: bytes) -> None:
        try:
            if not self._socket.write(data):
                self._may_write = False
        except OSError as error:
            self.on_lost(error)

    def _write_again(self) -> None:
        """Go on with what could not be written for a while."""
        self._may_write = self._ask_until == _NEVER
        self._on_alarm()  # a put that is too late must not be sent
        self._flush()

    def _set_alarm(self, when: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self.loop.call_at(when, self._on_alarm)
        self._alarm_time = when

    def _on_alarm(self) -> None:
        """Fail each put that is past its deadline, and set the alarm for the next."""
        while self._socket.read():  # the loop may be late, and not the broker
            pass
        self._alarm_time = _NEVER
        now = self.loop.time()
        if self._ask_until <= now:
            self.on_lost(TimeoutError("it was silent"))
            return
        # A put that was sent counts though it was cancelled: the broker is silent.
        waiting = [put for put in self._sent if put is not None]
        waiting += [put for put in self._unsent if not put.future.done()]
        late = [put for put in waiting if put.deadline <= now]
        for put in late:
            if not put.future.done():
                put.future.set_exception(self._too_late())
        deadlines = [put.deadline for put in waiting if put.deadline > now]
        if deadlines or self._ask_until < _NEVER:
            self._set_alarm(min([*deadlines, self._ask_until]))
        if late:
            self.retire()

    def _too_late(self) -> BrokerError:
        if self.is_connected:
            return silent(self._address, is_new=self.is_new)
        return unreachable(self._address, TimeoutError("timed out"))

    def _fail_all(self, make_error: Callable[[], Exception]) -> None:
        unanswered = self._unanswered()
        self._sent.clear()
        self._unsent.clear()
        self.retire()
        for put in unanswered:
            put.future.set_exception(make_error())

    def _unanswered(self) -> list[PendingPut]:
        """Return the puts that somebody still awaits."""
        return [
            put
            for put in (*self._sent, *self._unsent)
            if put is not None and not put.future.done()
        ]

    def _close_if_done(self) -> None:
        if self.loop.is_closed() or not self._unanswered():
            self._may_write = False
            if self._alarm is not None:
                self._alarm.cancel()
            self._socket.close()
