"""LoopSocket: a connection that an asyncio event loop reads and writes."""

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from jobqueue.broker.address import Address
from jobqueue.broker.connecting import connect
from jobqueue.broker.wire import BrokerSocket

_READ_SIZE = 2**16  # bytes


class SocketOwner(Protocol):
    """The methods that a :class:`LoopSocket` calls, each in the loop's thread."""

    def on_connected(self) -> None:
        """Use the socket from now on."""
        ...

    def on_unreachable(self, error: Exception) -> None:
        """Give up: no connection could be made."""
        ...

    def on_received(self, data: bytes) -> None:
        """Take bytes that have arrived: at least one."""
        ...

    def on_written(self) -> None:
        """Write again: all that was to be written has been."""
        ...

    def on_lost(self, error: Exception) -> None:
        """Give up: the connection has ended."""
        ...

    def retire(self) -> None:
        """Leave nothing open: the event loop is about to be closed."""
        ...


class LoopSocket:
    """A socket of one event loop, used in the thread of that loop only.

    A transport of asyncio would warn if the loop were closed before the transport, and
    nothing but the loop can close a transport. This socket can be closed without its
    loop, and is closed when nothing refers to it.
    """

    def __init__(
        self, address: Address, loop: asyncio.AbstractEventLoop, owner: SocketOwner
    ) -> None:
        self._address = address
        self._loop = loop
        self._owner = owner
        self._sockets: list[BrokerSocket] = []  # at most one
        self._is_closed = False
        self._unwritten = memoryview(b"")
        self._until_loop_ends: AsyncGenerator[None] | None = None
        weakref.finalize(self, _close_all, self._sockets)

    def connect(self) -> None:
        """Begin to connect, in a thread: the look-up of a host name may block."""
        # A loop that was told to end its asynchronous generators takes no new ones.
        if not getattr(self._loop, "_asyncgens_shutdown_called", False):
            self._until_loop_ends = self._wait_for_loop_end()
            _run_at_once(anext(self._until_loop_ends))
        thread = threading.Thread(
            target=self._connect, name="jobqueue-connect", daemon=True
        )
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # there is no thread for it
            self._loop.call_soon(self._owner.on_unreachable, error)

    def write(self, data: bytes) -> bool:
        """Write bytes, and return whether all are written.

        If not, the rest follows by itself: write no more until ``on_written`` is
        called. Raises ``OSError``.
        """
        (sock,) = self._sockets
        rest = memoryview(data)[sock.send_some(data) :]
        if not rest:
            return True
        self._unwritten = rest
        self._loop.add_writer(sock.fileno(), self._write_rest)
        return False

    def read(self) -> bool:
        """Have the owner take what has arrived; return whether that was anything."""
        if not self._sockets:
            return False
        try:
            data = self._sockets[0].recv(_READ_SIZE)
            if data:
                self._owner.on_received(data)
                return True
            self._owner.on_lost(ConnectionError("it was closed"))
        except BlockingIOError:
            pass
        except Exception as error:  # noqa: BLE001 - a reply that makes no sense, too
            self._owner.on_lost(error)
        return False

    def close(self) -> None:
        """Close the socket, or give up connecting. The loop may be closed already."""
        self._is_closed = True
        if self._sockets and not self._loop.is_closed():
            descriptor = self._sockets[0].fileno()
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
        self.close_copy()
        waiting, self._until_loop_ends = self._until_loop_ends, None
        if waiting is not None and not self._loop.is_closed():
            _run_at_once(waiting.aclose())

    def close_copy(self) -> None:
        """Close the socket, but leave the loop alone: a forked child shares it."""
        _close_all(self._sockets)

    def _connect(self) -> None:
        outcome: Callable[[], None]
        try:
            sock = connect(self._address)
            sock.settimeout(0)
        except Exception as error:  # noqa: BLE001 - the owner raises it
            outcome = partial(self._owner.on_unreachable, error)
        else:
            self._sockets.append(sock)
            outcome = self._on_connected
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(outcome)

    def _on_connected(self) -> None:
        if self._is_closed:
            self.close_copy()
            return
        self._loop.add_reader(self._sockets[0].fileno(), self.read)
        self._owner.on_connected()

    async def _wait_for_loop_end(self) -> AsyncGenerator[None]:
        """Tell the owner when the loop closes its asynchronous generators.

        Every ``asyncio.run`` does that at its end.
        """
        try:
            yield
        finally:
            if self._until_loop_ends is not None:
                self._until_loop_ends = None
                self._owner.retire()

    def _write_rest(self) -> None:
        try:
            sent = self._sockets[0].send_some(self._unwritten)
        except OSError as error:
            self._owner.on_lost(error)
            return
        self._unwritten = self._unwritten[sent:]
        if not self._unwritten:
            self._loop.remove_writer(self._sockets[0].fileno())
            self._owner.on_written()


def _run_at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    with suppress(StopIteration):
        coroutine.send(None)


def _close_all(sockets: list[BrokerSocket]) -> None:
    while sockets:
        sockets.pop().close()
