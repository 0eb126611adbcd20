"""How a process is started that can't be forked."""

from collections.abc import Sequence
from typing import NamedTuple


class SpawnCommand(NamedTuple):
    """A command, and the file descriptors that it inherits."""

    arguments: Sequence[str]
    fds: Sequence[int] = ()
