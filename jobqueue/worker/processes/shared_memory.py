"""Memory that two processes share, and that outlives the crash of either."""

import mmap
import os
import sys


class SharedMemory:
    """Shared memory of ``size`` bytes, all zeros.

    A forked child has it as ``memory``. Another process that inherits ``fds`` can open
    it by its ``handle``.
    """

    def __init__(self, size: int) -> None:
        if sys.platform == "win32":
            self.handle = f"jobqueue-{os.getpid()}-{os.urandom(8).hex()}"
            self.fds: tuple[int, ...] = ()
            self.memory = mmap.mmap(-1, size, tagname=self.handle)
        else:
            fd = _new_file()
            try:
                os.truncate(fd, size)
                self.memory = mmap.mmap(fd, size)
            except BaseException:
                os.close(fd)
                raise
            self.handle = str(fd)
            self.fds = (fd,)

    def close_fds(self) -> None:
        """Close the descriptors, when no more process has to be started with them."""
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


def _new_file() -> int:
    """Return the descriptor of a file without a name: in memory, else on the disk."""
    if hasattr(os, "memfd_create"):  # needs no folder that can be written
        return os.memfd_create("jobqueue")
    import tempfile  # noqa: PLC0415 - slow to import, and Linux does without

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
