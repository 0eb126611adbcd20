"""DroppedBody: what stands for a job's body that there was no memory for."""

from typing import Self


class DroppedBody(bytes):
    """No bytes, in place of a body of ``size`` bytes that was read and dropped."""

    size: int

    def __new__(cls, size: int) -> Self:
        """Return one for a body of this many bytes."""
        dropped = super().__new__(cls)
        dropped.size = size
        return dropped
