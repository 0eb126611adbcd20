"""The jobs that a search has found, in little memory."""

import pickle
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from jobqueue.broker.stats import JobStats

_LEVEL = 1  # the fastest: it makes some ten bytes of the kilobyte of a job


class Jobs(Protocol):
    """Some jobs, which can be counted, and looked at one after another."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[JobStats]: ...


class FoundJobs:
    """Jobs of a search, which come in blocks of ids and leave in the order of ids.

    No id of a block lies between two of another.
    """

    def __init__(self) -> None:
        self._blocks: list[tuple[int, bytes]] = []  # the first id, and all jobs
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[JobStats]:
        for _, block in sorted(self._blocks):
            yield from pickle.loads(zlib.decompress(block))  # noqa: S301 - our own

    def add(self, jobs: Sequence[JobStats]) -> None:
        """Add a block of jobs, which are in the order of their ids."""
        if jobs:
            block = zlib.compress(pickle.dumps(jobs), _LEVEL)
            self._blocks.append((jobs[0].id, block))
            self._count += len(jobs)


class JobsOfTubes:
    """Jobs of several tubes, one tube after another."""

    def __init__(self) -> None:
        self._tubes: dict[str, FoundJobs] = {}

    def __len__(self) -> int:
        return sum(map(len, self._tubes.values()))

    def __iter__(self) -> Iterator[JobStats]:
        for found in self._tubes.values():
            yield from found

    def add(self, jobs: Sequence[JobStats]) -> None:
        """Add a block of jobs of one tube, which are in the order of their ids."""
        if jobs:
            self._tubes.setdefault(jobs[0].tube, FoundJobs()).add(jobs)
