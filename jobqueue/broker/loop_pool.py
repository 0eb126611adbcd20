"""LoopPool: one connection for each asyncio event loop that puts jobs."""

import asyncio
import os
import weakref

from jobqueue.broker.address import Address
from jobqueue.broker.loop_connection import LoopConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import ConnectionLostError

_Loop = asyncio.AbstractEventLoop


class LoopPool:
    """Keeps one connection open for each event loop, whichever thread that runs in.

    A connection is closed when its loop ends. The pool is for one process: a forked
    child has to make one of its own.
    """

    def __init__(self, url: str | None) -> None:
        self._pid = os.getpid()
        self._url = url
        self._connections: dict[_Loop, LoopConnection] = {}
        weakref.finalize(self, _close_all, self._connections, self._pid)

    def serves_running_loop(self) -> bool:
        """Return whether the running loop can watch sockets.

        The default one of Windows can't: it says so by not having the method of its own
        that asyncio's abstract class asks for.
        """
        add_reader = type(asyncio.get_running_loop()).add_reader
        return add_reader is not _Loop.add_reader

    async def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job like :meth:`ProducerConnection.put`.

        If the connection proves dead, as after a restart of the broker, the job is put
        once more, over a new connection. The time-out begins with the call.
        """
        loop = asyncio.get_running_loop()
        connection = self._connections.get(loop) or self._connect(loop)
        deadline = loop.time() + connection.timeout
        was_connected = connection.is_connected
        try:
            return await connection.put(tube, body, options, deadline)
        except ConnectionLostError:
            if not was_connected:
                raise
        connection = self._connections.get(loop) or self._connect(loop)
        return await connection.put(tube, body, options, deadline)

    def close(self) -> None:
        """Close each connection as soon as all its puts have their answers."""
        _close_all(self._connections, self._pid)

    def _connect(self, loop: _Loop) -> LoopConnection:
        for other, connection in list(self._connections.items()):
            if other.is_closed():
                connection.retire()
        connections = self._connections

        def forget(retired: LoopConnection) -> None:
            if connections.get(loop) is retired:
                del connections[loop]

        connection = LoopConnection(Address.find(self._url), loop, forget)
        connections[loop] = connection
        return connection


def _close_all(connections: dict[_Loop, LoopConnection], pid: int) -> None:
    """Close the connections that a process has made; called in any thread."""
    for connection in list(connections.values()):
        loop = connection.loop
        if pid != os.getpid():
            connection.close_copy()
        elif loop.is_running() and loop is not _running_loop():
            loop.call_soon_threadsafe(connection.retire)
        else:
            connection.retire()


def _running_loop() -> _Loop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
