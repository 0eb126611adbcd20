"""The bodies of the tasks of all libraries."""

import os
import struct
import time
from collections.abc import Iterator
from functools import cache

ARGUMENTS = {"arg1": "a", "arg2": "b", "arg3": "c"}
BATCH = 500
WAIT = 0.1  # seconds


def broker_url() -> str:
    """Return where the broker of this measurement is."""
    return os.environ["PEERS_BROKER"]


@cache
def _shared_file() -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return os.open(os.environ["PEERS_FILE"], flags, 0o600)


def write_byte() -> None:
    """Tell that a job was done, in the same way for all: one byte in a shared file."""
    os.write(_shared_file(), b".")


def write_latency(sent: int) -> None:
    """Tell how many nanoseconds ago a job was put."""
    # The monotonic clock is the same in all processes of a machine.
    os.write(_shared_file(), struct.pack("<q", time.monotonic_ns() - sent))


def batches(count: int) -> Iterator[int]:
    """Split a count into batches."""
    for start in range(0, count, BATCH):
        yield min(BATCH, count - start)


def ticks(pace: float, count: int) -> Iterator[float]:
    """Yield the seconds to sleep before each put of a steady pace."""
    started = time.monotonic()
    for number in range(count):
        yield max(0.0, started + number / pace - time.monotonic())
