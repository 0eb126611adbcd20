"""A mutant: one fault, as somebody might make it, and the promise that it breaks."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: ``old`` occurs once in ``file``, and is replaced by ``new``.

    ``file`` is a path in the repository. ``tests`` are to fail: files, or tests in
    them, as in ``tests/broker/test_pool.py::test_two_interrupts``.
    """

    name: str
    promise: str  # that the fault breaks
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied_to(self, source: str) -> str:
        """Return the source with the fault. Raises ValueError if it doesn't fit."""
        count = source.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: its old text occurs {count} times")
        return source.replace(self.old, self.new)

    def put_into(self, folder: Path) -> None:
        """Put the fault into a copy of the repository."""
        path = folder / self.file
        modified = path.stat().st_mtime
        path.write_text(self.applied_to(path.read_text()))
        # Python knows a compiled file that is out of date by the source's time.
        os.utime(path, (modified + 2, modified + 2))
