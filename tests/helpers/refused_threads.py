"""Threads that the system does not start, as at its limit."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def refusing_threads(
    *names: str, error: type[Exception] = RuntimeError
) -> Iterator[list[str]]:
    """Have no thread of these names start; yield the names that were refused."""
    start = threading.Thread.start
    refused: list[str] = []

    def start_or_refuse(self: threading.Thread) -> None:
        if self.name in names:
            refused.append(self.name)
            raise error("can't start new thread")
        start(self)

    with patch.object(threading.Thread, "start", start_or_refuse):
        yield refused
