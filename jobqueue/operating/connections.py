"""The connections of an Operator, for any number of threads."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from jobqueue.broker.address import Address
from jobqueue.broker.clock import clock
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.producing import ASK_AFTER

_SPARES = 4  # connections that stay open


class Connections:
    """Keeps some connections open between requests, for any number of threads.

    A child process starts with none, as a connection must not be shared across a fork.
    """

    def __init__(self, url: str | None) -> None:
        if url is not None:
            Address.parse(url)
        self._url = url
        # All threads append to it and pop from it: a list needs no lock for that.
        self._idle: list[OperatorConnection] = []
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    @property
    def address(self) -> Address:
        """Where the broker is."""
        return Address.find(self._url)

    @contextmanager
    def taken(self) -> Iterator[OperatorConnection]:
        """Yield a connection that nothing else uses meanwhile."""
        connection = self._take() or OperatorConnection(self.address)
        try:
            yield connection
        finally:
            if connection.is_in_step and len(self._idle) < _SPARES:
                connection.last_used = clock()
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close the idle connections; the next request makes a new one."""
        _close_all(self._idle)

    def _take(self) -> OperatorConnection | None:
        """Return an idle connection that the broker has not ended meanwhile."""
        if self._pid != os.getpid():
            self.close()  # this process's copies: the parent's stay open
            self._pid = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_quiet() and self._is_alive(connection):
                return connection
            connection.close()

    def _is_alive(self, connection: OperatorConnection) -> bool:
        """Ask a connection that was idle for long: see ConnectionPool."""
        was_idle = clock() - connection.last_used > ASK_AFTER
        return not was_idle or connection.is_alive(connection.address.timeout / 2)


def _close_all(idle: list[OperatorConnection]) -> None:
    while idle:
        try:
            idle.pop().close()
        except IndexError:  # another thread took the last one
            return
