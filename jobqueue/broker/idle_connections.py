"""The connections that a pool keeps open while nothing uses them."""

import math
import os
import weakref
from contextlib import suppress
from typing import Generic, TypeVar

from jobqueue.broker.clock import clock
from jobqueue.broker.producing import ASK_AFTER, ProducerConnection

C = TypeVar("C", bound=ProducerConnection)

SPARES = 4  # connections that stay open beside those in use
_SPARE_TAKES = 200  # after so many uses that did not need them,
_SPARE_SECONDS = 30.0  # or so long, the others are closed


class IdleConnections(Generic[C]):
    """Idle connections, for any number of threads; none belongs to a thread.

    Those of a burst that later uses do not need are closed by these, but for a few. A
    child process starts with none, as a connection must not be shared across a fork.
    """

    def __init__(self) -> None:
        # All threads append to it and pop from it: a list needs no lock for that. The
        # one that has been idle for longest comes first.
        self._idle: list[C] = []
        self.generation = object()  # a new one after each close
        self._pid = os.getpid()
        self._spares = _Spares(self._idle)
        weakref.finalize(self, _close_all, self._idle)

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> C | None:
        """Return the connection that was used last, to give it back; None without."""
        if self._pid != os.getpid():
            self.close()  # this process's copies: the parent's stay open
            self._pid = os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        self._spares.taken()
        return connection

    def give_back(self, connection: C, generation: object) -> None:
        """Keep a connection that is in step, if none was closed since a generation."""
        if connection.is_in_step:
            self._idle.append(connection)
            # Looked at after the append, as close() may be called just before it.
            if generation is not self.generation:
                _close_all(self._idle)
        else:
            connection.close()

    def close(self) -> None:
        """Close all now, and those in use when they are given back."""
        self.generation = object()
        self.close_suspects()

    def close_suspects(self) -> None:
        """Close all now, but not those in use."""
        _close_all(self._idle)


def is_usable(connection: ProducerConnection, seconds: float) -> bool:
    """Ask a connection that was idle for long; return whether it answers in time.

    What lies between may have forgotten it, without a word: a firewall, NAT, a load
    balancer, a tunnel. If a job rode on it, nobody could know what became of that.
    """
    now = clock()
    was_idle = now - connection.last_used > ASK_AFTER
    connection.last_used = now
    return not was_idle or connection.is_alive(seconds)


class _Spares(Generic[C]):
    """The idle connections that were not needed for a while: they are closed.

    That is done when a connection is taken, as there is no thread for it. Threads may
    get into each other's way here: then some connections live a little longer.
    """

    def __init__(self, idle: list[C]) -> None:
        self._idle = idle
        self._takes = 0  # since there have always been spares
        self._since = 0.0  # by the clock
        self._fewest = 0

    def taken(self) -> None:
        """Close some spares, if there have been too many all the time."""
        left = len(self._idle)
        if left <= SPARES:
            self._takes = 0
            return
        now = clock()
        if not self._takes:
            self._since = now
            self._fewest = left
        self._takes += 1
        self._fewest = min(self._fewest, left)
        if self._takes == _SPARE_TAKES or now - self._since > _SPARE_SECONDS:
            self._takes = 0
            _close_all(self._idle, self._fewest - SPARES)


def _close_all(idle: list[C], at_most: float = math.inf) -> None:
    """Close idle connections, those first that have been idle for longest."""
    while idle and at_most > 0:
        at_most -= 1
        with suppress(IndexError):  # another thread took the last one
            idle.pop(0).close()
