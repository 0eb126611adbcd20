"""Connections that are kept open between puts."""

import os
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Concatenate, ParamSpec, TypeVar

from jobqueue.broker.address import Address
from jobqueue.broker.producing import ProducerConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import ConnectionLostError

A = ParamSpec("A")
T = TypeVar("T")


class ConnectionPool:
    """Open connections that wait for the next put, for any number of threads.

    Takes the broker's URL as :meth:`Address.find` does, and looks at the environment
    only when a connection is made. There are as many connections as there were puts at
    one time; they belong to no thread. A child process starts with none: a connection
    must not be shared across a fork.
    """

    def __init__(self, url: str | None = None) -> None:
        if url is not None:
            Address.parse(url)
        self._url = url
        # Appended to and popped from by all threads: lists need no lock for that.
        self._idle: list[ProducerConnection] = []
        self._era = object()  # a new one after each close
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job, like :meth:`ProducerConnection.put`.

        On a connection that proves dead (the broker was restarted, say) the put is
        tried once more, on a new one.
        """
        return self._on_connection(ProducerConnection.put, tube, body, options)

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Put many jobs like :meth:`ProducerConnection.put_many`."""
        return self._on_connection(ProducerConnection.put_many, tube, bodies, options)

    def close(self) -> None:
        """Close the connections: the idle ones now, those in use when they are free.

        The next put makes a new one.
        """
        self._era = object()
        _close_all(self._idle)

    def _on_connection(
        self,
        use: Callable[Concatenate[ProducerConnection, A], T],
        /,
        *args: A.args,
        **kwargs: A.kwargs,
    ) -> T:
        """Use an idle connection; or a new one, if there is none or it proves dead."""
        era = self._era
        connection = self._take()
        if connection is not None:
            try:
                return use(connection, *args, **kwargs)
            except ConnectionLostError:
                self.close()  # the other idle ones are as dead
                era = self._era
            finally:
                self._give_back(connection, era)
        connection = ProducerConnection(Address.find(self._url))
        try:
            return use(connection, *args, **kwargs)
        finally:
            self._give_back(connection, era)

    def _take(self) -> ProducerConnection | None:
        if self._pid != os.getpid():
            self.close()  # this process's copies only: the parent's stay open
            self._pid = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _give_back(self, connection: ProducerConnection, era: object) -> None:
        if connection.is_open:
            self._idle.append(connection)
            if era is not self._era:  # closed meanwhile, maybe just before the append
                _close_all(self._idle)


def _close_all(idle: list[ProducerConnection]) -> None:
    while idle:
        with suppress(IndexError):  # another thread took the last one
            idle.pop().close()
