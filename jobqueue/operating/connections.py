"""The connections of an Operator, for any number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

from jobqueue.broker.address import Address
from jobqueue.broker.clock import clock
from jobqueue.broker.idle_connections import SPARES, IdleConnections, is_usable
from jobqueue.broker.operating import OperatorConnection


class Connections:
    """Keeps some connections open between requests, for any number of threads."""

    def __init__(self, url: str | None) -> None:
        if url is not None:
            Address.parse(url)
        self._url = url
        self._idle: IdleConnections[OperatorConnection] = IdleConnections()

    @property
    def address(self) -> Address:
        """Where the broker is."""
        return Address.find(self._url)

    @contextmanager
    def taken(self) -> Iterator[OperatorConnection]:
        """Yield a connection that nothing else uses meanwhile."""
        generation = self._idle.generation
        connection = self._take() or OperatorConnection(self.address)
        try:
            yield connection
        finally:
            if len(self._idle) < SPARES:
                connection.last_used = clock()
                self._idle.give_back(connection, generation)
            else:
                connection.close()

    def close(self) -> None:
        """Close the idle connections; the next request makes a new one."""
        self._idle.close()

    def _take(self) -> OperatorConnection | None:
        """Return an idle connection that the broker has not ended meanwhile."""
        while (connection := self._idle.take()) is not None:
            half = connection.address.timeout / 2
            if connection.is_quiet() and is_usable(connection, half):
                return connection
            connection.close()
        return None
