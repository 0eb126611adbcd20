"""Puts that go elsewhere than to the broker of their queue."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol
from unittest.mock import patch

from jobqueue.options import PutOptions
from jobqueue.pool import ConnectionPool


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
def diverted_to(destination: Destination) -> Iterator[None]:
    """Have all puts of this process go there meanwhile, whatever their queue's broker.

    So no test reaches by mistake the broker that its application is configured for.
    """

    def put(_pool: ConnectionPool, tube: str, body: bytes, options: PutOptions) -> int:
        return destination.put(tube, body, options)

    def put_many(
        _pool: ConnectionPool,
        tube: str,
        bodies: Iterable[bytes],
        options: PutOptions,
    ) -> list[int]:
        return destination.put_many(tube, bodies, options)

    with (
        patch.object(ConnectionPool, "put", put),
        patch.object(ConnectionPool, "put_many", put_many),
    ):
        yield
