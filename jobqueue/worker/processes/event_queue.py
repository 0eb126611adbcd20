"""Where a main thread waits for what is to be done, and for signals."""

import math
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Generic, Self, TypeVar

from jobqueue.broker.wire import wait_readable

E = TypeVar("E")

_WITHOUT_WAKING = 0.2  # seconds


class EventQueue(Generic[E]):
    """A queue of events, on which one thread waits without ever waking up in vain.

    The system may hand a signal to any thread. Python's handler runs in the main
    thread, as soon as that wakes up; so it waits for a socket, which a signal can write
    to from anywhere: see :func:`jobqueue.worker.processes.signals.handling_signals`.
    """

    def __init__(self) -> None:
        self._events: deque[E] = deque()
        self._reader: socket.socket | None = None
        self._writer: socket.socket | None = None

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        for sock in (self._reader, self._writer):
            sock.setblocking(False)  # noqa: FBT003 - positional only
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._reader, self._writer):
            if sock is not None:
                with suppress(OSError):  # a task may have closed what is not its own
                    sock.close()
        self._reader = self._writer = None

    @property
    def wakeup_fd(self) -> int:
        """What a byte is written to in order to wake up who waits; -1: nothing."""
        return -1 if self._writer is None else self._writer.fileno()

    def put(self, event: E) -> None:
        """Add an event. Can be called from anywhere, signal handlers included."""
        self._events.append(event)
        if self._writer is not None:
            with suppress(OSError):  # it is full of bytes that will wake who waits
                self._writer.send(b"\0")

    def get(self, timeout: float = math.inf) -> E | None:
        """Return the next event, or None if none comes in so many seconds."""
        deadline = time.monotonic() + timeout
        while not self._events:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._wait(left)
        return self._events.popleft()

    def is_empty(self) -> bool:
        """Tell whether no event is there."""
        return not self._events

    def _wait(self, seconds: float) -> None:
        """Wait, for so long at most, until something may have come."""
        try:
            if self._reader is not None and wait_readable(self._reader, seconds):
                self._reader.recv(2**12)
        except (OSError, ValueError):  # see above: then nothing can wake us up
            time.sleep(min(seconds, _WITHOUT_WAKING))
