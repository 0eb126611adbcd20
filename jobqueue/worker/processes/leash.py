"""What ties a worker process to its supervisor, so that it never outlives it."""

import os
import threading
from collections.abc import Callable

_STDIN = 0


class ParentWatch:
    """The reading end of a pipe from the supervisor, which is the standard input.

    When it is at its end, because the supervisor says so or is no more, ``on_loss`` is
    called, from a thread. Standard input is empty from now on.
    """

    def __init__(self, on_loss: Callable[[], object]) -> None:
        self.on_loss = on_loss
        self._pipe = os.dup(_STDIN)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, _STDIN)
        os.close(empty)
        threading.Thread(target=self._hold, name="jobqueue-leash", daemon=True).start()

    def _hold(self) -> None:
        while os.read(self._pipe, 1):
            pass
        self.on_loss()
