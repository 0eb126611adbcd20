"""Cores that stay awake while something is measured.

Two processes that answer each other sleep in turns. How long a core then takes to wake
up depends on how deeply it sleeps, and decides more than any library does: in earlier
runs, the same puts took 26 microseconds or 104, whether the machine did something else
or nothing.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# SCHED_IDLE: any other process that wants the core gets it at once.
SPIN = """
import os, sys
core, parent = map(int, sys.argv[1:])
os.sched_setaffinity(0, {core})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


@contextmanager
def awake() -> Iterator[None]:
    """Have a process of the lowest priority run on each core meanwhile."""
    with ExitStack() as stack:
        for core in os.sched_getaffinity(0):
            command = [sys.executable, "-c", SPIN, str(core), str(os.getpid())]
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.kill)
        yield
