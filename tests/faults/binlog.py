"""The jobs in beanstalkd's binlog, as its next start will read them.

When beanstalkd (up to 1.13) moves the last job out of its oldest file, it removes that
file, and only then writes the job into the newest one (``moveone`` in its ``walg.c``).
If it is killed in between, it has destroyed the job. The files prove that: whoever
deletes a job leaves a record.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.servers import Beanstalkd

from .ledger import Ledger

VERSION = 7  # of the format, in beanstalkd 1.5 to 1.13
INVALID = 0  # the state of a job that is deleted

# A job's record, in its order in memory: id, size of the body, state.
RECORD = struct.Struct("=Q24xi40xB3x")
NUMBER = struct.Struct("=i")


@dataclass(slots=True)
class BinlogWatch:
    """Finds the jobs that beanstalkd has destroyed from one of its ends to the next."""

    folder: Path
    _alive: set[int] = field(default_factory=set)
    _newest: int = 0  # file, at the last end; the next start begins another

    def destroyed(self) -> set[int]:
        """Return the ids of such jobs. To be called while beanstalkd does not run."""
        files = sorted((int(p.suffix[1:]), p) for p in self.folder.glob("binlog.*"))
        alive: set[int] = set()
        mentioned: set[int] = set()
        for _, path in files:
            for job_id, is_whole, is_alive in _records(path.read_bytes()):
                mentioned.add(job_id)
                if not is_alive:
                    alive.discard(job_id)
                elif is_whole:
                    alive.add(job_id)
        newer = [number for number, _ in files if number > self._newest]
        # If not, records of the time in between may be in files that are removed.
        is_complete = newer[:1] in ([], [self._newest + 1])
        destroyed = self._alive - mentioned if is_complete else set()
        self._alive = alive
        self._newest = newer[-1] if newer else self._newest
        return destroyed


def _records(data: bytes) -> Iterator[tuple[int, bool, bool]]:
    """Yield for each record the id, and whether it has the whole job and is alive."""
    version = data[: NUMBER.size]
    if not version.strip(b"\0"):  # it was killed before it began the file
        return
    if NUMBER.unpack(version)[0] != VERSION:
        raise ValueError(f"the binlog's format {version!r} is unknown")
    position = NUMBER.size
    while position + NUMBER.size + RECORD.size <= len(data):
        (name_size,) = NUMBER.unpack_from(data, position)
        position += NUMBER.size + name_size
        job_id, body_size, state = RECORD.unpack_from(data, position)
        if not job_id:
            return
        position += RECORD.size + (body_size if name_size else 0)
        yield job_id, bool(name_size), state != INVALID


class WatchedBeanstalkd(Beanstalkd):
    """A beanstalkd with a binlog. The jobs that it has destroyed are noted."""

    def __init__(
        self, listen: Path, binlog: Path, program: str, ledger: Ledger
    ) -> None:
        super().__init__(listen, "-b", str(binlog), "-f", "0", program=program)
        self._watch = BinlogWatch(binlog)
        self._ledger = ledger

    def start(self) -> None:
        for job_id in self._watch.destroyed():
            self._ledger.note("vanished", job_id)
        super().start()
