"""clock: seconds that count while the machine sleeps, too."""

import functools
import time
from collections.abc import Callable

clock: Callable[[], float]

# Linux's monotonic clock stops while a laptop is suspended.
if hasattr(time, "CLOCK_BOOTTIME"):
    clock = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
else:
    clock = time.monotonic
