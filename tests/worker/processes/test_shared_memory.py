"""Memory that can't be had leaves no descriptor behind."""

import errno
import mmap
import os
import sys
from pathlib import Path

import pytest

from jobqueue.worker.processes.shared_memory import SharedMemory


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
@pytest.mark.parametrize(("module", "step"), [(os, "truncate"), (mmap, "mmap")])
def test_no_memory(module: object, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    before = descriptors()
    monkeypatch.setattr(module, step, refuse)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        SharedMemory(100)

    assert descriptors() == before
