"""Whole lines in a log that several processes write to.

A pipe takes ``PIPE_BUF`` bytes at once (4,096 on Linux). Of a longer line it may take
pieces, as its reader makes room, and the lines of other processes would get in between.
So a longer line is written while no other process writes. The locks are the kernel's,
which frees them when their process is killed.

They take longer than the write itself. So a worker process that is the only one takes
none for a short line. Its supervisor does, and the supervisor's own lines are short.
"""

import fcntl
import math
import mmap
import os
import select
import struct
from contextlib import suppress
from typing import NamedTuple, Self

from jobqueue.broker.waiting import wait_for
from jobqueue.worker.forks import call_in_children

# A lock of an open file, which only Linux has. A lock of a process can't quite take its
# place: the kernel does not know that other threads of the process go on. So it may
# find a deadlock where there is none, and refuse a lock that a task waits for.
_WAIT_FOR_LOCK_OF_FILE: int = getattr(fcntl, "F_OFD_SETLKW", 0)


class _Request(NamedTuple):
    """What to lock or to free: one byte of the file."""

    how: int
    byte: int
    flock: bytes  # Linux's struct of that name

    @classmethod
    def of(cls, how: int, byte: int) -> Self:
        kinds = {
            fcntl.LOCK_SH: fcntl.F_RDLCK,
            fcntl.LOCK_EX: fcntl.F_WRLCK,
            fcntl.LOCK_UN: fcntl.F_UNLCK,
        }
        flock = struct.pack("hhqqi", kinds[how], os.SEEK_SET, byte, 1, 0)
        return cls(how, byte, flock)


_TAKE_TURN, _END_TURN = _Request.of(fcntl.LOCK_EX, 0), _Request.of(fcntl.LOCK_UN, 0)
_SHARE_OUTPUT = _Request.of(fcntl.LOCK_SH, 1)
_TAKE_OUTPUT, _FREE_OUTPUT = (
    _Request.of(fcntl.LOCK_EX, 1),
    _Request.of(fcntl.LOCK_UN, 1),
)

# What the first byte of the shared memory says. The second has the number of processes
# that have used the lock so far.
_NOTHING = 0
_LONG_LINE_WAITS = 1  # else short lines, one after the other, might never let it pass
_UNFINISHED = 2  # a part of a line is written

_FIRST_WORKER = 2  # in the order of the processes: the supervisor is the first
_MOST = 255
_SIZE = 2  # bytes of the memory


class LogLock:
    """Keeps the lines whole that a supervisor and its processes write.

    ``fd`` is the descriptor that a spawned process was given. A forked one goes on
    with the lock of its parent. ``for_several`` says that there are several worker
    processes from the start.
    """

    def __init__(self, fd: int | None = None, *, for_several: bool = True) -> None:
        self._for_several = for_several
        self.fd = _new_file() if fd is None else fd
        self._file = os.fstat(self.fd)
        self._memory = self._map()
        self._has_own_file = False
        self._open_own()
        call_in_children(self._open_own)

    def write(self, fd: int, line: bytes) -> None:
        """Write a line. Raises ``OSError`` if nothing, or only a part, is written."""
        if len(line) > select.PIPE_BUF or self._memory[0] != _NOTHING:
            self._write_alone(fd, line)
            return
        if self._is_alone and self._memory[1] == _FIRST_WORKER:
            self._write(fd, line, if_none_is_written=_NOTHING)
            return
        self._lock(_SHARE_OUTPUT)  # which other short lines share
        try:
            self._write(fd, line, if_none_is_written=_NOTHING)
        finally:
            self._lock(_FREE_OUTPUT)

    def _map(self) -> mmap.mmap:
        """Map the memory, by a file of its own: the map keeps that open."""
        fd = self._opened_anew()
        if fd is None:
            return mmap.mmap(self.fd, _SIZE)
        try:
            return mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)

    def _open_own(self) -> None:
        """Open the file for this process: a fork's copy would share all locks."""
        fd = self._opened_anew()
        self._has_own_file = fd is not None
        if fd is not None:
            self.fd, parents = fd, self.fd
            os.close(parents)
        self._lock(_TAKE_TURN)
        number = self._memory[1] = min(self._memory[1] + 1, _MOST)
        self._is_alone = number == _FIRST_WORKER and not self._for_several
        self._lock(_END_TURN)

    def _opened_anew(self) -> int | None:
        if not _WAIT_FOR_LOCK_OF_FILE:
            return None
        with suppress(OSError):  # there is no /proc, or too many files are open
            fd = os.open(f"/proc/self/fd/{self.fd}", os.O_RDWR)
            if os.path.samestat(os.fstat(fd), self._file):
                return fd
            os.close(fd)  # a task has closed the file, and opened another
        return None

    def _lock(self, request: _Request) -> None:
        try:  # suppress() would take as long as the lock
            if self._has_own_file:
                fcntl.fcntl(self.fd, _WAIT_FOR_LOCK_OF_FILE, request.flock)
            else:
                fcntl.lockf(self.fd, request.how, 1, request.byte)
        except OSError:  # a task has closed the file: better write without a lock
            return

    def _write_alone(self, fd: int, line: bytes) -> None:
        self._lock(_TAKE_TURN)
        try:
            before = self._memory[0]
            self._memory[0] = before or _LONG_LINE_WAITS
            self._lock(_TAKE_OUTPUT)
            try:
                if before == _UNFINISHED:  # by a killed process, or on a full disk
                    line = b"\n" + line
                wait_for(fd, math.inf, write=True)
                self._memory[0] = _UNFINISHED  # already: the process may be killed
                self._write(fd, line, if_none_is_written=before)
                self._memory[0] = _NOTHING
            finally:
                self._lock(_FREE_OUTPUT)
        finally:
            self._lock(_END_TURN)

    def _write(self, fd: int, line: bytes, if_none_is_written: int) -> None:
        """Write a line, or note in the shared memory how much of it is written."""
        rest = memoryview(line)
        try:
            while rest:
                try:
                    rest = rest[os.write(fd, rest) :]
                except BlockingIOError:  # another program made the pipe non-blocking
                    wait_for(fd, math.inf, write=True)
        finally:
            if rest:
                is_begun = len(rest) < len(line)
                self._memory[0] = _UNFINISHED if is_begun else if_none_is_written


def _new_file() -> int:
    """Return the descriptor of a file that has no name."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("jobqueue-log")
        os.truncate(fd, _SIZE)
        return fd
    import tempfile  # noqa: PLC0415 - slow to import, and Linux does without

    with tempfile.TemporaryFile() as file:
        file.truncate(_SIZE)
        return os.dup(file.fileno())
