"""ConnectionPool: connections that stay open between puts."""

import os
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from jobqueue.broker.address import Address
from jobqueue.broker.idle_connections import IdleConnections, is_usable
from jobqueue.broker.producing import ProducerConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import BrokerTimeoutError, ConnectionLostError

if TYPE_CHECKING:
    from jobqueue.broker.loop_pool import LoopPool

A = TypeVar("A")
T = TypeVar("T")


class ConnectionPool:
    """Keeps connections to a broker open between puts, for any number of threads.

    The pool takes the broker's URL as :meth:`Address.find` does, and reads the
    environment only when it makes a connection. It has as many connections as there are
    puts at the same time.
    """

    def __init__(self, url: str | None = None) -> None:
        Address.prepare(url)
        self._url = url
        self._idle: IdleConnections[ProducerConnection] = IdleConnections()
        self._loop_pools: dict[int, LoopPool] = {}  # this process's, by its id

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job like :meth:`ProducerConnection.put`.

        If an idle connection proves dead, as after a restart of the broker, the job is
        put once more, over a new connection.
        """
        return self._on_connection(
            ProducerConnection.put, tube, body, options, asks_first=False
        )

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Put many jobs like :meth:`ProducerConnection.put_many`."""
        return self._on_connection(
            ProducerConnection.put_many, tube, bodies, options, asks_first=True
        )

    def aput(
        self, tube: str, body: bytes, options: PutOptions
    ) -> Coroutine[Any, Any, int]:
        """Put a job like :meth:`put`, without blocking the running event loop."""
        pool = self._loop_pools.get(os.getpid()) or self._make_loop_pool()
        if pool.serves_running_loop():
            return pool.put(tube, body, options)
        from jobqueue.broker.own_thread import in_own_thread  # noqa: PLC0415 - rare

        return in_own_thread(self.put, tube, body, options)

    def close(self) -> None:
        """Close the idle connections now, and those in use as soon as they are idle.

        The next put makes a new connection.
        """
        self._idle.close()
        for pool in list(self._loop_pools.values()):
            pool.close()

    def _make_loop_pool(self) -> "LoopPool":
        from jobqueue.broker.loop_pool import LoopPool  # noqa: PLC0415 - needs asyncio

        for pid in self._loop_pools.keys() - {os.getpid()}:
            self._loop_pools.pop(pid, None)  # that of the parent process
        # Atomic: another thread's loop may make its first put now.
        return self._loop_pools.setdefault(os.getpid(), LoopPool(self._url))

    def _on_connection(
        self,
        use: Callable[[ProducerConnection, str, A, PutOptions], T],
        tube: str,
        what: A,
        options: PutOptions,
        *,
        asks_first: bool,
    ) -> T:
        """Use an idle connection, or a new one if there is none or it proves dead.

        ``asks_first`` says that ``use`` itself begins with a round trip that puts no
        job. Whatever asks has half of the time-out; a put that follows has the rest.
        """
        idle = self._idle
        generation = idle.generation
        connection = idle.take()
        waited = 0.0  # seconds at most
        if connection is not None:
            half = connection.address.timeout / 2
            try:
                if is_usable(connection, half):
                    if asks_first:
                        connection.shorten_wait(half)
                    return use(connection, tube, what, options)
                waited = half
            except ConnectionLostError:
                pass
            except BrokerTimeoutError:
                idle.close_suspects()  # what lies between may have forgotten all
                if not asks_first:
                    raise
                waited = half
            finally:
                idle.give_back(connection, generation)
            idle.close()  # the other idle ones are dead, too
            generation = idle.generation
        connection = ProducerConnection(Address.find(self._url))
        try:
            connection.shorten_wait(waited)
            return use(connection, tube, what, options)
        finally:
            connection.shorten_wait(0)
            idle.give_back(connection, generation)
