"""Puts and workers that go elsewhere than to the broker of their queue."""

import functools
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol
from unittest.mock import patch

import jobqueue.worker
from jobqueue.broker.address import URL_VARIABLE, Address
from jobqueue.broker.pool import ConnectionPool
from jobqueue.broker.put_options import PutOptions
from jobqueue.task.definition import Task
from jobqueue.worker.settings import common_broker


class Destination(Protocol):
    """What takes puts, as a :class:`ConnectionPool` does."""

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job, and return its id."""
        ...

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Put many jobs, and return their ids in order."""
        ...


@contextmanager
def diverted_to(destination: Destination, url: str | None = None) -> Iterator[None]:
    """Have all puts of this process go there meanwhile, whatever their queue's broker.

    If it is a broker, ``url`` is its URL: workers of this process that are given none
    have that, and so does the environment. So no test reaches by mistake the broker
    that its application is configured for.

    Blocks may overlap, in several threads even: the one that began last counts.
    """
    diversions = _diversions()
    diversions.add(destination, url)
    try:
        yield
    finally:
        diversions.remove(destination)


class _Diversions:
    """The blocks that are open, the last one last, and what was before the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[tuple[Destination, str | None]] = []
        self._undo = ExitStack()
        self._url_before: str | None = None

    def add(self, destination: Destination, url: str | None) -> None:
        """Begin a block."""
        with self._lock:
            if not self._open:
                self._begin()
            self._open.append((destination, url))
            self._name_broker()

    def remove(self, destination: Destination) -> None:
        """End a block."""
        with self._lock:
            self._open = [one for one in self._open if one[0] is not destination]
            self._name_broker()
            if not self._open:
                self._undo.close()

    def destination(self) -> Destination:
        """Return where puts go now."""
        return self._open[-1][0]

    def url(self) -> str | None:
        """Return the broker's URL that workers have now, if it is not their tasks'."""
        return next((url for _, url in reversed(self._open) if url is not None), None)

    def _begin(self) -> None:
        self._url_before = os.environ.get(URL_VARIABLE)

        def put(
            _pool: ConnectionPool, tube: str, body: bytes, options: PutOptions
        ) -> int:
            return self.destination().put(tube, body, options)

        def put_many(
            _pool: ConnectionPool,
            tube: str,
            bodies: Iterable[bytes],
            options: PutOptions,
        ) -> list[int]:
            return self.destination().put_many(tube, bodies, options)

        def broker(tasks: Iterable[Task]) -> Address:
            url = self.url()
            return common_broker(tasks) if url is None else Address.parse(url)

        for owner, name, stand_in in (
            (ConnectionPool, "put", put),
            (ConnectionPool, "put_many", put_many),
            (jobqueue.worker, "common_broker", broker),
        ):
            self._undo.enter_context(patch.object(owner, name, stand_in))

    def _name_broker(self) -> None:
        """Have the environment name the broker that counts now."""
        url = self.url() or self._url_before
        if url is None:
            os.environ.pop(URL_VARIABLE, None)
        else:
            os.environ[URL_VARIABLE] = url


@functools.cache  # one for the process, as what it changes is
def _diversions() -> _Diversions:
    return _Diversions()
