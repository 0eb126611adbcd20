"""Which ids to look at next, where beanstalkd has no list of its jobs."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class _Gap:
    """Ids that nobody has looked at yet, both ends included."""

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


class Ids:
    """Hands out all ids from 1 to the last one, in blocks, each id once.

    Jobs that were put together lie together, with long gaps of deleted ones between
    them. So this goes outwards from ids that are known to be jobs: on, in a direction
    in which there are some, and else in all directions by turns.
    """

    def __init__(self, known: Iterable[int], last: int) -> None:
        self.last = last
        starts = sorted({1, *(job_id for job_id in known if job_id <= last)})
        ends_of_gaps = [start - 1 for start in starts[1:]] + [last]
        gaps = list(map(_Gap, starts, ends_of_gaps))
        upwards = [_End(gap, is_low=True) for gap in gaps]
        downwards = [_End(gap, is_low=False) for gap in gaps]
        # From known jobs upwards first: most often there are more behind them.
        self._ends = deque([*upwards[1:], upwards[0], *downwards])

    def block(self, size: int) -> range:
        """Return the next ids, that many at most; none when there are no more."""
        while self._ends:
            ids = self._ends[0].take(size)
            if ids:
                return ids
            self._ends.popleft()
        return range(0)

    def turn(self) -> None:
        """Go on in another direction, as there was nothing in this one."""
        self._ends.rotate(-1)

    def extend(self, last: int) -> None:
        """Hand out these ids next: those from the last one up to this."""
        if last > self.last:
            gap = _Gap(self.last + 1, last)
            self._ends.appendleft(_End(gap, is_low=True))
            self.last = last

    def cut(self, last: int) -> None:
        """Hand out no ids after this one."""
        if last < self.last:
            self.last = last
            for end in self._ends:
                end.gap.high = min(end.gap.high, last)
