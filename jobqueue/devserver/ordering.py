"""Two collections in beanstalkd's order: a queue by key, and a rotation."""

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

_SLACK = 64  # stale entries for which the heap is not rebuilt


class Queue(Generic[T]):
    """Items with keys, the smallest key first; iterated in the order of adding.

    Every operation takes logarithmic time at most. A discarded item stays in the heap
    as a stale entry until it comes up, or until half of the entries are stale and the
    heap is rebuilt. A key is unique: its last number is the item's own.
    """

    def __init__(self) -> None:
        self._keys: dict[T, tuple[int, int]] = {}
        self._heap: list[tuple[tuple[int, int], T]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[T]:
        return iter(self._keys)

    def add(self, item: T, key: tuple[int, int]) -> None:
        """Add an item, or move it to another key."""
        self._keys[item] = key
        heapq.heappush(self._heap, (key, item))
        self._drop_stale_entries()

    def discard(self, item: T) -> None:
        """Take out an item, if the collection has it."""
        self._keys.pop(item, None)
        self._drop_stale_entries()

    def first(self) -> T | None:
        """Return the item with the smallest key; None if there is no item."""
        heap = self._heap
        while heap:
            key, item = heap[0]
            if self._keys.get(item) == key:
                return item
            heapq.heappop(heap)
        return None

    def first_key(self) -> int | None:
        """Return the first number of the smallest key; None if there is no item."""
        return None if self.first() is None else self._heap[0][0][0]

    def _drop_stale_entries(self) -> None:
        if len(self._heap) > 2 * len(self._keys) + _SLACK:
            self._heap = [(key, item) for item, key in self._keys.items()]
            heapq.heapify(self._heap)


class Rotation(Generic[T]):
    """Distinct items; when one is taken out, the last item takes its place.

    beanstalkd keeps tubes and waiting clients like this. That determines the order of
    its lists, and which client gets a job when several wait.
    """

    def __init__(self) -> None:
        self._items: list[T] = []
        self._positions: dict[T, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._positions

    def append(self, item: T) -> None:
        """Add an item that the collection does not have."""
        self._positions[item] = len(self._items)
        self._items.append(item)

    def discard(self, item: T) -> None:
        """Take out an item, if the collection has it."""
        position = self._positions.pop(item, None)
        if position is None:
            return
        last = self._items.pop()
        if last is not item:
            self._items[position] = last
            self._positions[last] = position

    def take(self) -> T:
        """Take out the item whose turn it is. Raises ``IndexError`` if there is none.

        The turn goes round the positions, so it is not always the oldest item's.
        """
        self._next %= len(self._items) or 1
        item = self._items[self._next]
        self.discard(item)
        self._next += 1
        return item
