"""The development server on asyncio."""

import asyncio
import logging
import math
import socket
import time
from collections.abc import Callable
from typing import cast

from jobqueue.devserver.broker import Broker
from jobqueue.devserver.conversation import Conversation, Conversations
from jobqueue.devserver.endpoint import BACKLOG
from jobqueue.devserver.records import SECOND

_log = logging.getLogger("jobqueue.devserver")

# Turns of the event loop from the accept() of a connection to connection_made().
_TURNS_TO_CONNECT = 3

_SPARE_FILES = 64  # file descriptors that connections leave to the rest of the process


class Server:
    """Serves a listening socket, and closes it at the end."""

    def __init__(self, sock: socket.socket, max_job_size: int) -> None:
        self._socket = sock
        self._conversations = Conversations(Broker(time.monotonic_ns, max_job_size))
        self._connections: set[ClientConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0
        self._most_connections = _most_connections()
        self._is_full = False

    def drain(self) -> None:
        """Refuse new jobs from now on, as after a SIGUSR1."""
        self._conversations.broker.is_draining = True

    async def run(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """Serve until ``stop`` is set; call ``started`` once clients can connect."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: ClientConnection(self, self._conversations),
            sock=self._socket,
            backlog=BACKLOG,
        )
        started()
        await stop.wait()
        listener.close()
        for _ in range(_TURNS_TO_CONNECT):
            await asyncio.sleep(0)
        while self._connections:
            for connection in self._connections:
                connection.abort()
            await asyncio.sleep(0)
        if self._timer:
            self._timer.cancel()

    def opened(self, connection: "ClientConnection") -> None:
        """Note a new connection, and close it at once if there are too many."""
        self._connections.add(connection)
        if len(self._connections) <= self._most_connections:
            self._is_full = False
            return
        if not self._is_full:
            _log.warning(
                "New connections are closed: %d are open, all that the limit of open "
                "files (ulimit -n) allows",
                self._most_connections,
            )
        self._is_full = True
        connection.abort()

    def closed(self, connection: "ClientConnection") -> None:
        """Note the end of a connection."""
        self._connections.discard(connection)

    def set_timer(self) -> None:
        """Set the timer to the time at which the broker has something to do."""
        due = self._conversations.broker.next_tick()
        if due is None or (self._timer and self._timer_due <= due):
            return
        if self._timer:
            self._timer.cancel()
        seconds = max(0, due - time.monotonic_ns()) / SECOND
        self._timer = asyncio.get_running_loop().call_later(seconds, self._on_timer)
        self._timer_due = due

    def _on_timer(self) -> None:
        self._timer = None
        self._conversations.tick()
        self.set_timer()


class ClientConnection(asyncio.Protocol):
    """A client's connection: its bytes go to its conversation."""

    def __init__(self, server: Server, conversations: Conversations) -> None:
        self._server = server
        self._conversations = conversations
        self._transport: asyncio.Transport
        self._conversation: Conversation

    def abort(self) -> None:
        """Close the connection at once, also if there are replies to send."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the conversation."""
        self._transport = cast("asyncio.Transport", transport)
        self._conversation = self._conversations.start(self._transport)
        self._server.opened(self)
        _log.info("A connection was opened: %s", transport.get_extra_info("peername"))

    def data_received(self, data: bytes) -> None:
        """Execute the commands in some bytes."""
        self._conversation.receive(data)
        self._proceed()

    def eof_received(self) -> bool:
        """Execute the remaining commands. Their replies can still be sent."""
        self._conversations.tick()
        self._conversation.end()
        self._proceed()
        return True

    def pause_writing(self) -> None:
        """Execute no more commands until the client has read its replies."""
        self._conversation.pause()

    def resume_writing(self) -> None:
        """Execute commands again."""
        self._conversation.resume()
        self._proceed()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the conversation."""
        self._conversations.tick()
        self._conversation.close()
        self._server.closed(self)
        self._proceed()
        _log.info("A connection was closed: %s", exc or "without an error")

    def _proceed(self) -> None:
        self._conversations.proceed()
        self._server.set_timer()


def _most_connections() -> float:
    """Return how many connections may be open at a time."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return math.inf
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return math.inf
    return max(files - _SPARE_FILES, files // 2)
