"""ConnectionPool: connections that stay open between puts."""

import math
import os
import weakref
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from jobqueue.broker.address import Address
from jobqueue.broker.clock import clock
from jobqueue.broker.producing import ASK_AFTER, ProducerConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import BrokerTimeoutError, ConnectionLostError

if TYPE_CHECKING:
    from jobqueue.broker.loop_pool import LoopPool

A = TypeVar("A")
T = TypeVar("T")

_SPARES = 4  # connections that stay open beside those in use
_SPARE_PUTS = 200  # after so many puts that did not need them,
_SPARE_SECONDS = 30.0  # or so long, the others are closed


class ConnectionPool:
    """Keeps connections to a broker open between puts, for any number of threads.

    The pool takes the broker's URL as :meth:`Address.find` does, and reads the
    environment only when it makes a connection. It has as many connections as there are
    puts at the same time; none belongs to a thread. Those of a burst that later puts do
    not need are closed by these puts, but for a few. A child process starts with none,
    as a connection must not be shared across a fork.
    """

    def __init__(self, url: str | None = None) -> None:
        Address.prepare(url)
        self._url = url
        # All threads append to it and pop from it: a list needs no lock for that.
        self._idle: list[ProducerConnection] = []
        self._generation = object()  # a new one after each close
        self._spares = Spares(self._idle)
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._idle)
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
        generation = self._generation
        connection = self._take()
        waited = 0.0  # seconds at most
        if connection is not None:
            half = connection.address.timeout / 2
            try:
                if self._is_usable(connection, half):
                    if asks_first:
                        connection.shorten_wait(half)
                    return use(connection, tube, what, options)
                waited = half
            except ConnectionLostError:
                pass
            except BrokerTimeoutError:
                _close_all(self._idle)  # what lies between may have forgotten all
                if not asks_first:
                    raise
                waited = half
            finally:
                self._give_back(connection, generation)
            self._close_idle()  # the other idle ones are dead, too
            generation = self._generation
        connection = ProducerConnection(Address.find(self._url))
        try:
            connection.shorten_wait(waited)
            return use(connection, tube, what, options)
        finally:
            connection.shorten_wait(0)
            self._give_back(connection, generation)

    def _is_usable(self, connection: ProducerConnection, seconds: float) -> bool:
        """Ask a connection that was idle for long; return whether it answers in time.

        What lies between may have forgotten it, without a word: a firewall, NAT, a load
        balancer, a tunnel. If a job rode on it, nobody could know what became of that.
        """
        now = clock()
        was_idle = now - connection.last_used > ASK_AFTER
        connection.last_used = now
        return not was_idle or connection.is_alive(seconds)

    def _take(self) -> ProducerConnection | None:
        if self._pid != os.getpid():
            self._close_idle()  # this process's copies: the parent's stay open
            self._pid = os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        self._spares.taken()
        return connection

    def _give_back(self, connection: ProducerConnection, generation: object) -> None:
        if connection.is_in_step:
            self._idle.append(connection)
            # Looked at after the append, as close() may be called just before it.
            if generation is not self._generation:
                _close_all(self._idle)
        else:
            connection.close()


class Spares:
    """The idle connections that puts have not needed for a while: they are closed.

    That is done when a connection is taken, as there is no thread for it. Threads may
    get into each other's way here: then some connections live a little longer.
    """

    def __init__(self, idle: list[ProducerConnection]) -> None:
        self._idle = idle  # the one that has been idle for longest comes first
        self._puts = 0  # since there have always been spares
        self._since = 0.0  # by the clock
        self._fewest = 0

    def taken(self) -> None:
        """Close some spares, if there have been too many all the time."""
        left = len(self._idle)
        if left <= _SPARES:
            self._puts = 0
            return
        now = clock()
        if not self._puts:
            self._since = now
            self._fewest = left
        self._puts += 1
        self._fewest = min(self._fewest, left)
        if self._puts == _SPARE_PUTS or now - self._since > _SPARE_SECONDS:
            self._puts = 0
            _close_all(self._idle, self._fewest - _SPARES)


def _close_all(idle: list[ProducerConnection], at_most: float = math.inf) -> None:
    """Close idle connections, those first that have been idle for longest."""
    while idle and at_most > 0:
        at_most -= 1
        with suppress(IndexError):  # another thread took the last one
            idle.pop(0).close()
