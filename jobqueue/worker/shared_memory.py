"""Memory that two processes share, and that outlives the crash of either."""

import mmap
import os
import sys
import tempfile


class SharedMemory:
    """Memory of so many bytes, made by one process for others.

    A process that inherits ``fds`` can open it by its ``handle``.
    """

    def __init__(self, size: int) -> None:
        if sys.platform == "win32":
            self.handle = f"jobqueue-{os.getpid()}-{os.urandom(8).hex()}"
            self.fds: tuple[int, ...] = ()
            self.memory = mmap.mmap(-1, size, tagname=self.handle)
        else:
            fd = _nameless_file()
            os.truncate(fd, size)
            self.memory = mmap.mmap(fd, size)
            self.fds = (fd,)
            self.handle = str(fd)

    def passed_on(self) -> None:
        """Close what only the start of another process needed: it is the last."""
        for fd in self.fds:
            os.close(fd)

    @staticmethod
    def open(handle: str, size: int) -> mmap.mmap:
        """Return the memory, in the process that was given the handle."""
        if sys.platform == "win32":
            return mmap.mmap(-1, size, tagname=handle)
        fd = int(handle)
        try:
            return mmap.mmap(fd, size)
        finally:
            os.close(fd)


def _nameless_file() -> int:
    """Return the descriptor of a file in memory, or else on the disk."""
    if hasattr(os, "memfd_create"):  # needs no folder that can be written
        return os.memfd_create("jobqueue")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
