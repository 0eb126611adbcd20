"""A child process of a supervisor, forked or spawned, and the pipe between the two.

A forked child shares the memory of all that the supervisor has imported, so that ten
processes take half of what they would otherwise, and begin at once. But a fork copies
only the thread that forks, and is safe only if there is no other. That is so on Linux,
as a supervisor imports nothing of the application's. On macOS system libraries have
threads of their own, and Windows has no fork: there a child is spawned.
"""

import gc
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import NamedTuple, Protocol, Self

from jobqueue.worker.exits import flush_output
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import block_signals, unblock_signals
from jobqueue.worker.processes.spawn_command import SpawnCommand
from jobqueue.worker.processes.status_board import size_of_status_board
from jobqueue.worker.reporting.counters import SIZE, Memory

_STDIN = 0  # the file descriptor
_TRIES = 50
_BETWEEN_TRIES = 0.001  # seconds


class ParentLink(NamedTuple):
    """All that a child shares with its supervisor: memory, and a pipe's reading end."""

    status: Memory
    counters: Memory | None
    pipe: int  # a file descriptor

    @classmethod
    def of_spawned(
        cls, status: str, counters: str | None, pipe: int | None, slots: int
    ) -> Self:
        """Open what the handles of a spawned child's command line name.

        Without ``pipe``, it is the standard input, which the child gives up for it.
        """
        return cls(
            status=SharedMemory.open(status, size_of_status_board(slots)),
            counters=None if counters is None else SharedMemory.open(counters, SIZE),
            pipe=_take_stdin() if pipe is None else _kept_to_itself(pipe),
        )

    @staticmethod
    def wake_supervisor() -> None:
        """Have the supervisor look at its processes now, as if one had ended."""
        if sys.platform != "win32":
            with suppress(OSError):  # it has ended, and another process is the parent
                os.kill(os.getppid(), signal.SIGCHLD)


class Forked(BaseException):
    """Raised in a forked child, to unwind to where its work begins.

    Not an Exception, so that no handler on the way takes it for an error.
    """

    def __init__(self, link: ParentLink) -> None:
        super().__init__()
        self.link = link


class Child(Protocol):
    """A child process, as its supervisor sees it.

    It watches the pipe of which the supervisor has the writing end, and stops when that
    is closed. So it never outlives the supervisor, however that ended.
    """

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        ...

    def close_pipe(self, reason: str = "") -> None:
        """Close the supervisor's end of the pipe, with a reason for the child."""
        ...

    def send_signal(self, signum: int, /) -> None:
        """Send a signal, if the child still runs."""
        ...


def start(
    command: SpawnCommand, status: SharedMemory, counters: SharedMemory | None
) -> Child:
    """Start a child that works with this memory: by a fork if that is safe.

    Raises ``OSError``; and :class:`Forked` in a forked child.
    """
    flush_output()  # else a forked child would write what is buffered a second time
    reading, writing = os.pipe()
    try:
        if sys.platform == "linux" and _has_one_thread():
            return _fork(status, counters, reading, writing)
        return _Spawned(command, status, counters, reading, writing)
    except OSError:
        os.close(writing)
        raise
    finally:
        os.close(reading)


def leave_group() -> None:
    """Make this child the leader of a process group of its own.

    So a signal to the supervisor's group, as Ctrl-C and ``timeout`` send it, reaches
    the supervisor alone, and does not end the processes that tasks wait for. A child
    that may read from a terminal has to stay in the group.
    """
    if sys.platform != "win32" and not os.isatty(_STDIN):
        os.setpgid(0, 0)


def empty_stdin() -> None:
    """Make the standard input empty, in each of several children.

    They can't share a terminal. One child alone keeps it, for a debugger in a task.
    """
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, _STDIN)
    os.close(empty)


def _take_stdin() -> int:
    """Return a descriptor of what the standard input was, and make that empty."""
    pipe = os.dup(_STDIN)
    empty_stdin()
    return pipe


def _kept_to_itself(fd: int) -> int:
    """Return a descriptor that the programs which tasks start do not inherit."""
    os.set_inheritable(fd, False)  # noqa: FBT003 - positional only
    return fd


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
        time.sleep(_BETWEEN_TRIES)  # one that has just ended may still be listed
    return False


def _fork(
    status: SharedMemory, counters: SharedMemory | None, reading: int, writing: int
) -> "_Fork":
    gc.freeze()  # else the child's collector would copy all that is shared
    # A signal that arrives meanwhile waits until the child can handle it.
    block_signals()
    try:
        pid = os.fork()
    except OSError:
        unblock_signals()
        raise
    if not pid:
        os.close(writing)
        memory = None if counters is None else counters.memory
        raise Forked(ParentLink(status.memory, memory, os.dup(reading)))
    unblock_signals()
    return _Fork(pid, writing)


class _Fork:
    """A forked child."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = _WritingEnd(pipe)
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except (
                ChildProcessError
            ):  # other code has waited for it, and has its status
                self._status = 0
            else:
                self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def close_pipe(self, reason: str = "") -> None:
        self._pipe.close(reason)

    def send_signal(self, signum: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)


class _Spawned:
    """A child that runs a command of its own."""

    def __init__(
        self,
        command: SpawnCommand,
        status: SharedMemory,
        counters: SharedMemory | None,
        reading: int,
        writing: int,
    ) -> None:
        import subprocess  # noqa: PLC0415 - slow to import, and a fork does without

        options = [f"--supervised={status.handle}"]
        fds = [*status.fds, *command.fds]
        if counters is not None:
            options.append(f"--counters={counters.handle}")
            fds += counters.fds
        if sys.platform == "win32":  # only standard streams can be passed on
            stdin = reading
        else:
            options.append(f"--parent-pipe={reading}")
            fds.append(reading)
            stdin = None
        # The child inherits that they are blocked: else a signal to the process group
        # would end it while it imports, with a traceback or as if it had crashed.
        block_signals()
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - it is our own command
                [*command.arguments, *options], stdin=stdin, pass_fds=fds
            )
        finally:
            unblock_signals()
        self.pid = self._popen.pid
        self._pipe = _WritingEnd(writing)

    def poll(self) -> int | None:
        return self._popen.poll()

    def close_pipe(self, reason: str = "") -> None:
        self._pipe.close(reason)

    def send_signal(self, signum: int, /) -> None:
        self._popen.send_signal(signum)


class _WritingEnd:
    """The supervisor's end of the pipe to a child."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def close(self, reason: str) -> None:
        """Write the reason, if any, and close it; the first call counts."""
        if self._fd is not None:
            with suppress(OSError):  # the child has ended
                os.write(self._fd, reason.encode())
            os.close(self._fd)
            self._fd = None
