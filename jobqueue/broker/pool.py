"""ConnectionPool: connections that stay open between puts."""

import os
import weakref
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from jobqueue.broker.address import Address
from jobqueue.broker.producing import ProducerConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import ConnectionLostError

if TYPE_CHECKING:
    from jobqueue.broker.loop_pool import LoopPool

A = ParamSpec("A")
T = TypeVar("T")


class ConnectionPool:
    """Keeps connections to a broker open between puts, for any number of threads.

    The pool takes the broker's URL as :meth:`Address.find` does, and reads the
    environment only when it makes a connection. It has as many connections as there
    were puts at the same time; none belongs to a thread. A child process starts with
    none, as a connection must not be shared across a fork.
    """

    def __init__(self, url: str | None = None) -> None:
        if url is not None:
            Address.parse(url)
        self._url = url
        # All threads append to it and pop from it: a list needs no lock for that.
        self._idle: list[ProducerConnection] = []
        self._generation = object()  # a new one after each close
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle)
        self._loop_pools: dict[int, LoopPool] = {}  # this process's, by its id

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job like :meth:`ProducerConnection.put`.

        If an idle connection proves dead, as after a restart of the broker, the job is
        put once more, over a new connection.
        """
        return self._on_connection(ProducerConnection.put, tube, body, options)

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Put many jobs like :meth:`ProducerConnection.put_many`."""
        return self._on_connection(ProducerConnection.put_many, tube, bodies, options)

    def aput(
        self, tube: str, body: bytes, options: PutOptions
    ) -> Coroutine[Any, Any, int]:
        """Put a job like :meth:`put`, without blocking the running event loop."""
        pool = self._loop_pools.get(os.getpid()) or self._make_loop_pool()
        return pool.put(tube, body, options)

    def close(self) -> None:
        """Close the idle connections now, and those in use as soon as they are idle.

        The next put makes a new connection.
        """
        self._close_idle()
        for pool in list(self._loop_pools.values()):
            pool.close()

    def _close_idle(self) -> None:
        self._generation = object()
        _close_all(self._idle)

    def _make_loop_pool(self) -> "LoopPool":
        from jobqueue.broker.loop_pool import LoopPool  # noqa: PLC0415 - needs asyncio

        for pid in self._loop_pools.keys() - {os.getpid()}:
            self._loop_pools.pop(pid, None)  # that of the parent process
        # Atomic: another thread's loop may make its first put now.
        return self._loop_pools.setdefault(os.getpid(), LoopPool(self._url))

    def _on_connection(
        self,
        use: Callable[Concatenate[ProducerConnection, A], T],
        /,
        *args: A.args,
        **kwargs: A.kwargs,
    ) -> T:
        """Use an idle connection, or a new one if there is none or it proves dead."""
        generation = self._generation
        connection = self._take()
        if connection is not None:
            try:
                return use(connection, *args, **kwargs)
            except ConnectionLostError:
                self._close_idle()  # the other idle ones are dead, too
                generation = self._generation
            finally:
                self._give_back(connection, generation)
        connection = ProducerConnection(Address.find(self._url))
        try:
            return use(connection, *args, **kwargs)
        finally:
            self._give_back(connection, generation)

    def _take(self) -> ProducerConnection | None:
        if self._pid != os.getpid():
            self._close_idle()  # this process's copies: the parent's stay open
            self._pid = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _give_back(self, connection: ProducerConnection, generation: object) -> None:
        if connection.is_open:
            self._idle.append(connection)
            # Looked at after the append, as close() may be called just before it.
            if generation is not self._generation:
                _close_all(self._idle)


def _close_all(idle: list[ProducerConnection]) -> None:
    while idle:
        with suppress(IndexError):  # another thread took the last one
            idle.pop().close()
