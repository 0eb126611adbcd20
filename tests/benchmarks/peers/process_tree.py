"""Memory and CPU of a worker with all the processes that it has started.

A worker is started in a session of its own, so its tree is that session: a process
whose parent has died still counts.
"""

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
GONE = (FileNotFoundError, ProcessLookupError)
NANO = 1e-9
# Shared memory has a name like a file's, but belongs to one tree.
NOT_FILES = ("/dev/zero", "/dev/shm", "/memfd:", "/SYSV", "[")


def pids(session: int) -> list[int]:
    """Return the processes of a session; a zombie is none."""
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(*GONE):
                state, _, _, of, *_ = _stat(folder)
                if int(of) == session and state != "Z":
                    found.append(int(folder.name))
    return found


def kill(session: int) -> None:
    """Kill the processes that are left of a session."""
    send(session, signal.SIGKILL)


def send(session: int, signum: signal.Signals) -> None:
    """Send a signal to each process of a session."""
    for pid in pids(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def cpu(session: int) -> float:
    """Return the CPU time of the tree, in seconds.

    The ticks of `stat` include children that have ended; the nanoseconds of `schedstat`
    do not, but see what is too short for a tick. The larger one counts.
    """
    ticks, nanoseconds = 0, 0
    for pid in pids(session):
        with suppress(*GONE):
            ticks += sum(int(field) for field in _stat(PROC / str(pid))[11:15])
            for task in (PROC / str(pid) / "task").iterdir():
                nanoseconds += int((task / "schedstat").read_text().split()[0])
    return max(ticks / os.sysconf("SC_CLK_TCK"), nanoseconds * NANO)


def memory(session: int) -> float:
    """Return the megabytes of the tree, what its processes share counted once.

    Anonymous pages count by their proportional share (PSS): a page that is still shared
    after a fork is divided among those that share it. Files (programs, libraries) count
    once, as the process has them that has most of them: their PSS would depend on
    how many other programs on the machine use them.
    """
    anonymous = 0
    files: dict[str, int] = defaultdict(int)
    for pid in pids(session):
        with suppress(*GONE):
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
            anonymous += _kilobytes(rollup, "Pss_Anon:")
            anonymous += _kilobytes(rollup, "Pss_Shmem:")
            for mapping, size in _files((PROC / str(pid) / "smaps").read_text()):
                files[mapping] = max(files[mapping], size)
    return (anonymous + sum(files.values())) * 1024 / 1e6


def _files(smaps: str) -> Iterator[tuple[str, int]]:
    """Yield each mapping of a file, and how many kilobytes of it are in memory."""
    mapping, resident = "", 0
    for line in smaps.splitlines():
        name, *fields = line.split(maxsplit=5)
        if name == "Rss:":
            resident = int(fields[0])
        elif name == "Anonymous:" and mapping:
            yield mapping, resident - int(fields[0])
        elif not name.endswith(":"):
            _, offset, _, _, *path = fields
            is_file = path and not path[0].startswith(NOT_FILES)
            mapping = f"{path[0]} {offset}" if is_file else ""


def _kilobytes(rollup: str, name: str) -> int:
    return int(rollup.partition(name)[2].split()[0])


def _stat(folder: Path) -> list[str]:
    """Return the fields of `stat` from the state on."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
