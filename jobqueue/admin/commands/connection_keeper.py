"""A process that keeps a connection open for a moment after the end of this process."""

import os
import subprocess
import sys

from jobqueue.errors import JobQueueError

# Waits for the end of the pipe, then reads what the broker still has to say.
_PROGRAM = """
import os, select, sys
connection, pipe = map(int, sys.argv[1:])
os.read(pipe, 1)
while select.select([connection], [], [], 1)[0] and os.read(connection, 65536):
    pass
"""


class ConnectionKeeper:
    """Keeps the connection of this file descriptor open if this process is killed.

    beanstalkd ends a connection whose other end is gone as soon as it writes a reply,
    before it reads a command that has come already. Raises
    :class:`~jobqueue.errors.JobQueueError` if no process can be started.
    """

    def __init__(self, connection: int) -> None:
        try:
            reading, self._writing = os.pipe()
        except OSError as error:
            raise JobQueueError(f"no pipe can be opened: {error}") from error
        try:
            self._process = subprocess.Popen(  # noqa: S603 - of our own
                [
                    *(sys.executable, "-I", "-S", "-c", _PROGRAM),
                    *(str(connection), str(reading)),
                ],
                pass_fds=(connection, reading),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a signal to this process's group ends it not
            )
        except OSError as error:
            os.close(self._writing)
            raise JobQueueError(f"no process can be started: {error}") from error
        finally:
            os.close(reading)

    def end(self, *, is_idle: bool) -> None:
        """End the process: at once, or with the replies that are still to come."""
        os.close(self._writing)
        if is_idle:
            self._process.kill()
        self._process.wait()
