"""A child's end of the pipe to its supervisor."""

import _thread
import math
import os
from collections.abc import Callable

from jobqueue.broker.waiting import wait_readable
from jobqueue.worker.patched import has_real_threads

PARENT_IS_GONE = "the supervisor is gone"  # a reason to stop


class ParentWatch:
    """Watches for the supervisor to say stop, or to be gone.

    Calls ``on_stop``, from a thread, with the reason: it is what the supervisor wrote
    into the pipe before it closed its end. A supervisor that died has written nothing.

    Raises one of ``NO_THREAD`` if the system starts no more threads.
    """

    def __init__(self, pipe: int, on_stop: Callable[[str], object]) -> None:
        self._on_stop = on_stop
        self._pipe = pipe
        self._has_stopped = False
        # Not by threading: gevent's patch, which a task's module may apply, can't mend
        # the locks of an import that is under way if there is a second thread.
        _thread.start_new_thread(self._watch, ())

    def pass_on_to(self, on_stop: Callable[[str], object]) -> bool:
        """Call this from now on; return False if another may have been called before.

        Then the process may be about to end, and nothing must begin in it.
        """
        self._on_stop = on_stop
        return not self._has_stopped

    def _watch(self) -> None:
        if not has_real_threads():
            wait_readable(self._pipe, math.inf)  # else no other greenlet would run
        # One read, as the reason is one small write: a task may close descriptors that
        # are not its own, so by a second read this one may be that of another file.
        reason = os.read(self._pipe, 2**10)
        self._has_stopped = True  # before the next look at _on_stop: see pass_on_to()
        self._on_stop(reason.decode() or PARENT_IS_GONE)
