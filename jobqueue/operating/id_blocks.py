"""IdBlocks: hands out all ids that may be jobs, in blocks."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(slots=True)
class _Gap:
    """A range of ids that were not handed out yet, both ends included."""

    low: int
    high: int


@dataclass(slots=True)
class _End:
    """One end of a gap, from which ids are taken."""

    gap: _Gap
    is_low: bool

    def take(self, size: int) -> range:
        gap = self.gap
        if self.is_low:
            ids = range(gap.low, min(gap.low + size, gap.high + 1))
            gap.low = max(gap.low, ids.stop)
        else:
            ids = range(max(gap.low, gap.high - size + 1), gap.high + 1)
            gap.high = min(gap.high, ids.start - 1)
        return ids


class IdBlocks:
    """Hands out all ids from 1 to the last one, in blocks, each id once.

    Jobs that were put together have neighbouring ids, with long gaps of deleted jobs
    between such groups. So the blocks start at ids that are known to be jobs, and go
    outwards. The caller asks for another direction with :meth:`turn` when a block had
    no jobs.
    """

    def __init__(self, known: Iterable[int], last: int) -> None:
        self.last = last
        starts = sorted({1, *(job_id for job_id in known if job_id <= last)})
        ends_of_gaps = [start - 1 for start in starts[1:]] + [last]
        gaps = list(map(_Gap, starts, ends_of_gaps))
        upwards = [_End(gap, is_low=True) for gap in gaps]
        downwards = [_End(gap, is_low=False) for gap in gaps]
        # Upwards from known jobs first: usually more jobs follow them.
        self._ends = deque([*upwards[1:], upwards[0], *downwards])

    @classmethod
    def of_gaps(cls, gaps: Sequence[tuple[int, int]], last: int) -> Self:
        """Return blocks of what was not handed out before, as ``gaps`` says it."""
        blocks = cls((), 0)
        blocks.last = last
        found = [_Gap(low, high) for low, high in gaps]
        upwards = [_End(gap, is_low=True) for gap in found]
        blocks._ends = deque([*upwards, *(_End(gap, is_low=False) for gap in found)])
        return blocks

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """The ranges of ids that were not handed out, both ends of each included."""
        found = dict.fromkeys((end.gap.low, end.gap.high) for end in self._ends)
        return [(low, high) for low, high in found if low <= high]

    def give_back(self, low: int, high: int) -> None:
        """Take ids back that were handed out, to hand them out next."""
        self._ends.appendleft(_End(_Gap(low, high), is_low=True))

    def block(self, size: int) -> range:
        """Return the next ids, at most ``size``; an empty range at the end."""
        while self._ends:
            ids = self._ends[0].take(size)
            if ids:
                return ids
            self._ends.popleft()
        return range(0)

    def turn(self) -> None:
        """Go on in another direction."""
        self._ends.rotate(-1)

    def extend(self, last: int) -> None:
        """Make ``last`` the last id, if it is larger, and hand out the new ids next."""
        if last > self.last:
            gap = _Gap(self.last + 1, last)
            self._ends.appendleft(_End(gap, is_low=True))
            self.last = last

    def cut(self, last: int) -> None:
        """Make ``last`` the last id, if it is smaller."""
        if last < self.last:
            self.last = last
            for end in self._ends:
                end.gap.high = min(end.gap.high, last)
