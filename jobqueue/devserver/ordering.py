"""Two collections in beanstalkd's order: a queue by key, and a rotation."""

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

_SLACK = 64  # stale entries that are not worth a sweep


class Queue(Generic[T]):
    """Items by their keys, smallest first; iterated in the order of their adding.

    Adding, discarding and looking take logarithmic time at most: what is discarded
    stays in the heap as a stale entry until it comes up, or until a sweep, when half of
    the entries are stale. A key is unique: its last number is the item's own.
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
        if len(self._heap) > 2 * len(self._keys) + _SLACK:
            self._heap = [(key, item) for item, key in self._keys.items()]
            heapq.heapify(self._heap)

    def discard(self, item: T) -> None:
        """Take an item out, if it is in."""
        self._keys.pop(item, None)

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


class Rotation(Generic[T]):
    """Distinct items; where one leaves, the last takes its place.

    beanstalkd keeps tubes and waiting clients like this, and it shows: in the order of
    its lists, and in who gets a job when several wait.
    """

    def __init__(self) -> None:
        self._items: list[T] = []
        self._places: dict[T, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._places

    def append(self, item: T) -> None:
        """Add an item that is not in yet."""
        self._places[item] = len(self._items)
        self._items.append(item)

    def discard(self, item: T) -> None:
        """Take an item out, if it is in."""
        place = self._places.pop(item, None)
        if place is None:
            return
        last = self._items.pop()
        if last is not item:
            self._items[place] = last
            self._places[last] = place

    def take(self) -> T:
        """Take out the item whose turn it is. Raises ``IndexError`` if there is none.

        The turn goes round the places, so it is not always who came first.
        """
        self._next %= len(self._items) or 1
        item = self._items[self._next]
        self.discard(item)
        self._next += 1
        return item
