"""Whether the log takes a line at once, or only when its reader has made room."""

import logging
import select
from contextlib import suppress
from typing import Any

from jobqueue.worker.reporting.written_log import handlers_of


def has_log_room() -> bool:
    """Return whether the end of a job can be logged without waiting.

    A pipe that nobody reads has no room. Only streams and files are asked: other
    handlers of an app, such as those that write to a network, may take their time.
    """
    fds: set[int] = set()
    for handler in handlers_of(logging.INFO):
        stream: Any = getattr(handler, "stream", None)
        # Else it is no file, or closed.
        with suppress(AttributeError, OSError, ValueError):
            fds.add(stream.fileno())
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLOUT)
    return len(poll.poll(0)) == len(fds)
