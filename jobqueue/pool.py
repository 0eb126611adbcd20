"""Connections that are kept open between puts."""

import os
import weakref
from contextlib import suppress

from jobqueue.address import Address
from jobqueue.connection import Connection
from jobqueue.errors import ConnectionLostError


class ConnectionPool:
    """Open connections that wait for the next put, for any number of threads.

    Takes the broker's URL as :meth:`Address.find` does, and looks at the environment
    only when the first connection is made. A child process starts with an empty pool:
    a connection must not be shared across a fork.
    """

    def __init__(self, url: str | None = None) -> None:
        if url is not None:
            Address.parse(url)
        self._url = url
        self._idle: list[Connection] = []
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def put(self, tube: str, body: bytes) -> int:
        """Put a job on a pooled connection, like :meth:`Connection.put`.

        A connection that has died while it was idle (the broker was restarted, say) is
        replaced, and the put is tried once more.
        """
        connection = self._take()
        if connection is not None:
            try:
                return self._put_on(connection, tube, body)
            except ConnectionLostError:
                self.close()  # the other idle ones are as dead
        return self._put_on(Connection(Address.find(self._url)), tube, body)

    def close(self) -> None:
        """Close the connections that are idle; the next put makes a new one."""
        _close_all(self._idle)

    def _take(self) -> Connection | None:
        if self._pid != os.getpid():
            self.close()  # this process's copies only: the parent's stay open
            self._pid = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _put_on(self, connection: Connection, tube: str, body: bytes) -> int:
        try:
            return connection.put(tube, body)
        finally:
            if connection.is_open:
                self._idle.append(connection)


def _close_all(idle: list[Connection]) -> None:
    while idle:
        with suppress(IndexError):  # another thread took the last one
            idle.pop().close()
