"""A child process that works for a supervisor: forked from it, or started afresh.

What has forked shares the memory of all that was imported, so that ten processes take
half of what they would otherwise, and begin at once. But a fork copies only the thread
that forks, and is safe only where that is the only one. It is on Linux, as a supervisor
imports nothing of the application's; on macOS system libraries have threads of their
own, and Windows knows no fork.
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from jobqueue.worker.exits import flush_output
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import block_signals

STDIN = 0  # the file descriptor
_TRIES = 50
_BETWEEN_TRIES = 0.001  # seconds


class Forked(BaseException):
    """Raised in a child that was forked, to get back to where its work begins.

    It leaves no way to go on as a supervisor: not an Exception, so that nothing on the
    way takes it for an error.
    """

    def __init__(self, board: SharedMemory, tally: SharedMemory | None) -> None:
        super().__init__()
        self.board = board
        self.tally = tally


class Child(Protocol):
    """A process that holds the reading end of a pipe as its standard input.

    When that is at its end, the process stops as at a signal: so none outlives the
    supervisor, however that ended.
    """

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        ...

    def let_go(self) -> None:
        """Close this process's end of the pipe."""
        ...

    def send_signal(self, signum: int, /) -> None:
        """Send a signal, if it still runs."""
        ...


def start(
    command: Sequence[str], board: SharedMemory, tally: SharedMemory | None
) -> Child:
    """Start a child that works with this memory: by a fork if that is safe.

    Raises ``OSError``; and in a child that was forked :class:`Forked`.
    """
    flush_output()  # else what is left to be written would be copied, too
    if sys.platform == "linux" and _has_one_thread():
        return _fork(board, tally)
    return _Afresh(command, board, tally)


def _has_one_thread() -> bool:
    for _ in range(_TRIES):
        if threading.active_count() > 1:
            return False
        try:
            threads = os.listdir("/proc/self/task")  # noqa: PTH208
        except OSError:  # there is no /proc
            return False
        if len(threads) == 1:
            return True
        time.sleep(_BETWEEN_TRIES)  # one that has just ended may still be seen
    return False


def _fork(board: SharedMemory, tally: SharedMemory | None) -> "_Fork":
    reading, writing = os.pipe()
    gc.freeze()  # else the child's collector would make copies of all that is shared
    # A signal that comes in between waits until the child knows what to do at it.
    block_signals(block=True)
    try:
        pid = os.fork()
        if not pid:
            os.close(writing)
            os.dup2(reading, STDIN)
            raise Forked(board, tally)
    except OSError:
        os.close(writing)
        block_signals(block=False)
        raise
    finally:
        os.close(reading)
    block_signals(block=False)
    return _Fork(pid, writing)


class _Fork:
    """A child that was forked."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe: int | None = pipe
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has asked, and knows how it ended
                self._status = 0
            else:
                self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def let_go(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def send_signal(self, signum: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)


class _Afresh:
    """A child that runs a command."""

    def __init__(
        self, command: Sequence[str], board: SharedMemory, tally: SharedMemory | None
    ) -> None:
        import subprocess  # noqa: PLC0415 - who forks does without

        given = [board] if tally is None else [board, tally]
        handles = [f"--supervised={board.handle}"]
        if tally is not None:
            handles.append(f"--tally={tally.handle}")
        self._popen = subprocess.Popen(  # noqa: S603 - it is our own command
            [*command, *handles],
            stdin=subprocess.PIPE,
            pass_fds=[fd for shared in given for fd in shared.fds],
        )
        self.pid = self._popen.pid

    def poll(self) -> int | None:
        return self._popen.poll()

    def let_go(self) -> None:
        if self._popen.stdin is not None:
            self._popen.stdin.close()

    def send_signal(self, signum: int, /) -> None:
        self._popen.send_signal(signum)
