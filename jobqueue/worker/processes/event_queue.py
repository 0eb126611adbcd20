"""The queue on which a main thread waits for events, signals among them."""

import math
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Generic, Self, TypeVar

from jobqueue.broker.waiting import wait_readable
from jobqueue.errors import JobQueueError

E = TypeVar("E")

_POLL_WITHOUT_SOCKET = 0.2  # seconds: see _wait


class EventQueue(Generic[E]):
    """A queue of events, on which one thread waits without waking up in vain.

    The system may deliver a signal to any thread, but Python runs its handler in the
    main thread, once that wakes up. So the main thread waits for a socket, to which any
    thread's signal can write: see
    :func:`jobqueue.worker.processes.signals.handling_signals`. A ``with`` block opens
    it, and raises :class:`~jobqueue.errors.JobQueueError` if there is none.
    """

    def __init__(self) -> None:
        self._events: deque[E] = deque()
        self._reader: socket.socket | None = None
        self._writer: socket.socket | None = None

    def __enter__(self) -> Self:
        try:
            self._reader, self._writer = socket.socketpair()
        except OSError as error:
            raise JobQueueError(
                f"no socket can be opened to wait for signals with: {error.strerror}"
            ) from error
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
        """The descriptor to write a byte to, to wake up the waiting thread; or -1."""
        return -1 if self._writer is None else self._writer.fileno()

    def put(self, event: E) -> None:
        """Add an event. Can be called from anywhere, signal handlers included."""
        self._events.append(event)
        if self._writer is not None:
            with suppress(OSError):  # it is full of bytes that will wake the reader
                self._writer.send(b"\0")

    def get(self, timeout: float = math.inf) -> E | None:
        """Return the next event, or None if none comes within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not self._events:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._wait(left)
        return self._events.popleft()

    def _wait(self, seconds: float) -> None:
        """Wait until an event may have come, for ``seconds`` at most."""
        try:
            if self._reader is not None and wait_readable(self._reader, seconds):
                self._reader.recv(2**12)
        except (OSError, ValueError):  # a task has closed the socket: poll instead
            time.sleep(min(seconds, _POLL_WITHOUT_SOCKET))
