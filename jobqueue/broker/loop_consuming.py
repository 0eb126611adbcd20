"""A connection that reserves and settles jobs while no thread waits for its replies."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection, reserve_command

_READ_SIZE = 2**14  # bytes


class LoopConsumerConnection(ConsumerConnection):
    """A connection whose replies an event loop waits for.

    Each wait is between a command, :meth:`begin_reserve` or :meth:`begin_settle`, and
    the method that reads the reply. :meth:`prepare` and :meth:`begin` begin it, and
    :meth:`end_wait` ends it. All other methods may block, as those of a
    :class:`ConsumerConnection` do, so they are for threads.
    """

    def __init__(self, address: Address, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(address)
        self._loop = loop
        self._process = os.getpid()
        # What is called at the end of the wait. Who pops it, ends the wait.
        self._go_on: list[Callable[[], object]] = []
        self._is_whole = False  # the reply that was awaited last
        self._received = 0  # bytes of it
        self._failure_of_wait: OSError | None = None
        self._seconds_more = 0  # than usual, to wait for the reply
        self._due = 0.0  # time.monotonic() of the end of the wait
        # Only the loop uses these.
        self._is_watched = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    def begin_reserve(self, timeout: int) -> None:
        """Request a job, unless begin_settle() has: :meth:`reserve` reads it."""
        self._seconds_more = timeout
        if not self._reserve_is_sent:
            with self._exchange:
                self._socket.send_all(reserve_command(timeout))
            self._reserve_is_sent = True

    def begin_settle(self, job_id: int, *, reserve: int | None) -> None:
        """Delete a job and request the next, like :meth:`settle`; wait for no reply.

        :meth:`end_settle` has to read the reply.
        """
        command = b"delete %d\r\n" % job_id
        if reserve is not None:
            command += reserve_command(reserve)
        self._seconds_more = 0
        with self._exchange:
            self._socket.send_all(command)
        self._reserve_is_sent = reserve is not None

    def end_settle(self) -> bool:
        """Read the reply to begin_settle(); False if the reservation was lost."""
        with self._exchange:
            if self._unread:
                self._read_touched()
            return self.read_confirmation(b"DELETED\r\n")

    def has_reply(self) -> bool:
        """Return whether the awaited reply can be read without waiting."""
        self._is_whole = self._reader.has_replies(1 + self._unread)
        return self._is_whole

    def has_received(self) -> bool:
        """Return whether a wait is about to end. For any thread."""
        return self._reader.has_line() or super().has_received()

    def prepare(self, go_on: Callable[[], object]) -> None:
        """Have ``go_on`` called on the loop at the end of a wait, which begins now.

        For any thread. The loop has to :meth:`begin` it, too.
        """
        self._due = time.monotonic() + self.address.timeout + self._seconds_more
        self._received = 0
        self._is_whole = False
        self._go_on.append(go_on)

    def begin(self) -> bool:
        """Begin to wait for the reply, on the loop; return whether that has failed."""
        if self._go_on:  # else a thread has taken the wait over
            if not self._is_watched and self.is_open:
                try:
                    self._watch()
                except (OSError, RuntimeError) as error:  # the system's limit, say
                    self._failure_of_wait = ConnectionError(
                        f"it can't be read: {error}"
                    )
                    return self._pop() is not None
            if self._timer is None or self._timer_due > self._due:
                self._set_timer()
        return False

    def take_over(self) -> bool:
        """End the wait for the calling thread, if the reply has begun to come.

        Returns False if it has not, or if the loop is about to end the wait.
        """
        return self.has_received() and self._pop() is not None

    def end_wait(self) -> bool:
        """Return whether the whole reply can be read without waiting.

        Raises what the wait has failed with, if it has.
        """
        failure, self._failure_of_wait = self._failure_of_wait, None
        if failure is not None:
            with self._exchange:
                raise failure
        return self._is_whole

    def loop_lost(self) -> None:
        """Take note that the loop has ended."""
        self._go_on.clear()

    def close(self) -> None:
        """Close the connection. For any thread.

        The loop closes the descriptor: first it has to forget it, as the next file that
        is opened may get the same number.
        """
        if self._process != os.getpid():  # the copy in a child that a task forked
            super().close()
            return
        with suppress(OSError):  # the broker has closed the connection
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._loop.call_soon_threadsafe(self._close)
        except RuntimeError:  # the loop is closed
            super().close()

    def _close(self) -> None:
        self._forget()
        if self._timer is not None:
            self._timer.cancel()
        super().close()
        self._fail(ConnectionError("it was closed"))

    def _pop(self) -> Callable[[], object] | None:
        try:
            return self._go_on.pop()
        except IndexError:
            return None

    def _fail(self, failure: OSError) -> None:
        """End the wait, if there is one, with an error."""
        go_on = self._pop()
        if go_on is not None:
            self._failure_of_wait = failure
            go_on()

    def _watch(self) -> None:
        descriptor = self._socket.fileno()
        # A task may have closed a file of this number that the loop still watches: then
        # the loop would take this one for that, and never look at it.
        with suppress(OSError):
            self._loop.remove_reader(descriptor)
        self._loop.add_reader(descriptor, self._receive)
        self._is_watched = True

    def _forget(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._socket.fileno())

    def _receive(self) -> None:
        """Receive what has arrived. Called by the loop."""
        if not self.is_open:  # this is a child that a task forked
            return
        go_on = self._pop()
        if go_on is None:  # it is for another thread, as for the heartbeat
            self._forget()
            return
        try:
            received = self._socket.recv(_READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._go_on.append(go_on)
            return
        except OSError as error:
            self._failure_of_wait = error
            go_on()
            return
        if not received:
            self._failure_of_wait = ConnectionError("it was closed")
            go_on()
            return
        self._reader.keep(received)
        self._received += len(received)
        # A thread reads the rest of a long reply: here its pieces would be joined, time
        # and again.
        if self.has_reply() or self._received >= _READ_SIZE:
            go_on()
        else:
            self._go_on.append(go_on)

    def _set_timer(self) -> None:
        """Look after some seconds whether the wait is over: most are, long before."""
        if self._timer is not None:
            self._timer.cancel()
        seconds = self._due - time.monotonic()
        self._timer = self._loop.call_later(seconds, self._look_at_clock)
        self._timer_due = self._due

    def _look_at_clock(self) -> None:
        self._timer = None
        if not self._go_on:
            return
        if self._due > time.monotonic():
            self._set_timer()
            return
        self._receive()  # the loop may have been blocked, and the reply have come
        if self._due <= time.monotonic():  # else it has come, and this is another wait
            self._fail(TimeoutError())
