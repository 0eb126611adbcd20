"""Waiting until a socket or a pipe can be read or written."""

import math
import select
from typing import Protocol


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


def wait_readable(file: _HasFileno | int, seconds: float) -> bool:
    """Wait until a file can be read, for at most some seconds; return whether it can.

    The end of the stream, and an error, count as data to read. Raises ``ValueError`` or
    ``OSError`` if the file is closed.
    """
    return wait_for(file, seconds, read=True)[0]


def wait_for(
    file: _HasFileno | int, seconds: float, *, read: bool = False, write: bool = False
) -> tuple[bool, bool]:
    """Wait like :func:`wait_readable`, also for a file that can be written.

    Returns whether it can be read, and whether it can be written. A signal does not
    make the wait longer. gevent and eventlet replace what waits here, so that other
    greenlets run in the meantime.
    """
    if not hasattr(select, "poll"):  # on Windows, and where eventlet has removed it
        timeout = None if math.isinf(seconds) else seconds
        files = [file] if read else [], [file] if write else []
        reads, writes, _ = select.select(*files, [], timeout)
        return bool(reads), bool(writes)
    poll = select.poll()  # select() takes no file descriptor from 1024 on
    wanted = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
    poll.register(file, wanted)
    events = poll.poll(None if math.isinf(seconds) else seconds * 1000)
    event = events[0][1] if events else 0
    is_over = bool(event & ~(select.POLLIN | select.POLLOUT))
    readable = read and (is_over or bool(event & select.POLLIN))
    writable = bool(event & select.POLLOUT) or (is_over and not read)
    return readable, writable
