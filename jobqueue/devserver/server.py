"""The development server on asyncio."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import cast

from jobqueue.devserver.broker import SECOND, Broker
from jobqueue.devserver.conversation import Conversation, Switchboard
from jobqueue.devserver.listen import BACKLOG

_log = logging.getLogger("jobqueue.devserver")

_ROUNDS = 3  # of the event loop, from a connection's acceptance to its being known


class Server:
    """Serves a listening socket, which it closes in the end."""

    def __init__(self, sock: socket.socket, max_job_size: int) -> None:
        self._socket = sock
        self._board = Switchboard(Broker(time.monotonic_ns, max_job_size))
        self._connections: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0

    def drain(self) -> None:
        """Take no more jobs from now on, as after a SIGUSR1."""
        self._board.broker.is_draining = True

    async def run(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: Connection(self, self._board), sock=self._socket, backlog=BACKLOG
        )
        started()
        await stop.wait()
        listener.close()
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        while self._connections:
            for connection in self._connections:
                connection.abort()
            await asyncio.sleep(0)
        if self._timer:
            self._timer.cancel()

    def opened(self, connection: "Connection") -> None:
        """Note a new connection."""
        self._connections.add(connection)

    def closed(self, connection: "Connection") -> None:
        """Note the end of a connection."""
        self._connections.discard(connection)

    def set_timer(self) -> None:
        """See to it that what will be due next is done in time."""
        due = self._board.broker.next_tick()
        if due is None or (self._timer and self._timer_due <= due):
            return
        if self._timer:
            self._timer.cancel()
        seconds = max(0, due - time.monotonic_ns()) / SECOND
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)
        self._timer_due = due

    def _ring(self) -> None:
        self._timer = None
        self._board.tick()
        self.set_timer()


class Connection(asyncio.Protocol):
    """A connection: what comes from it goes to its session."""

    def __init__(self, server: Server, board: Switchboard) -> None:
        self._server = server
        self._board = board
        self._transport: asyncio.Transport
        self._session: Conversation

    def abort(self) -> None:
        """End it at once, whatever there is to send."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a session."""
        self._transport = cast("asyncio.Transport", transport)
        self._session = self._board.open(self._transport)
        self._server.opened(self)
        _log.info("A connection was opened: %s", transport.get_extra_info("peername"))

    def data_received(self, data: bytes) -> None:
        """Have commands executed."""
        self._session.receive(data)
        self._settle()

    def eof_received(self) -> bool:
        """Have the rest executed; what is still to be sent can be."""
        self._board.tick()
        self._session.end()
        self._settle()
        return True

    def pause_writing(self) -> None:
        """Have no more executed until what has been answered is read."""
        self._session.hold_up()

    def resume_writing(self) -> None:
        """Have commands executed again."""
        self._session.go_on()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session."""
        self._board.tick()
        self._session.close()
        self._server.closed(self)
        self._settle()
        _log.info("A connection was closed: %s", exc or "in good order")

    def _settle(self) -> None:
        self._board.settle()
        self._server.set_timer()
