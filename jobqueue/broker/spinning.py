"""Spinning: waiting for a reply that comes at once without sleeping until it comes.

To put a core to sleep, and to wake it up, takes longer than the broker takes for an
answer. So for a moment the socket is looked at again and again. Other threads and
processes may run in between: the broker, too, if it has to share this core.
"""

import os
import sys
import time
from collections.abc import Callable

_LONGEST = 0.000_05  # seconds
_LONGEST_BETWEEN = 0.000_02  # two replies to one write
_TOLERATED = 3  # failures in a row
_MOST_SKIPPED = 50  # replies that are slept for, while spinning is in vain
# If the broker has to share this core, it answers before the first look, or while this
# thread gives way after that: then a sleep takes no longer. On another core it takes as
# long as more looks.
_LOOKS_ON_ONE_CORE = 2


class Spin:
    """Receives replies without sleeping, as long as that succeeds.

    While it does not, as the broker is far away or has no core of its own, it is tried
    more and more rarely. A caller that finds ``skips`` counts one down, and sleeps.
    """

    def __init__(self, receive_at_once: Callable[[], bytes]) -> None:
        self._receive_at_once = receive_at_once
        self.skips = 0  # replies to sleep for, before it is tried again
        self._failures = 0  # in a row

    @staticmethod
    def is_worthwhile() -> bool:
        """Return whether there is another core for the broker."""
        if not hasattr(os, "sched_yield"):
            return False
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0)) > 1
        return (os.cpu_count() or 1) > 1

    def receive(self) -> bytes:
        """Return the beginning of the replies to a write, or nothing after a moment.

        Raises ``OSError``.
        """
        if _has_event_loop():
            return b""
        deadline = time.perf_counter() + _LONGEST
        received, looks = self._look_until(deadline)
        if looks <= _LOOKS_ON_ONE_CORE or time.perf_counter() > deadline:
            self._failures += 1
            if self._failures > _TOLERATED:  # a few are only other processes' turns
                self.skips = min(2**self._failures, _MOST_SKIPPED)
        else:
            self._failures = 0
        return received

    def receive_next(self) -> bytes:
        """Return what follows on the first of the replies, like :meth:`receive`."""
        return self._look_until(time.perf_counter() + _LONGEST_BETWEEN)[0]

    def _look_until(self, deadline: float) -> tuple[bytes, int]:
        """Return what is received before a deadline, and how many looks it took."""
        looks = 1
        while True:
            try:
                return self._receive_at_once(), looks
            except BlockingIOError:
                if time.perf_counter() > deadline:
                    return b"", looks
            os.sched_yield()
            looks += 1


def _has_event_loop() -> bool:
    """Return whether this thread runs an asyncio loop, which has more to do."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None  # noqa: SLF001 - it is documented
