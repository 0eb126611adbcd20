"""One worker process of several, as its supervisor sees it."""

import signal
import sys
import time
from collections.abc import Sequence

from jobqueue.worker.processes import child
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import SIGNALS
from jobqueue.worker.processes.status_board import (
    ProcessState,
    RunningJob,
    StatusBoard,
    size_of_status_board,
)
from jobqueue.worker.settings import Timings


class Process:
    """One worker process.

    Raises ``OSError`` if it can't be started; and in the process itself, if it was
    forked, :class:`~jobqueue.worker.processes.child.Forked`.
    """

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        slots: int,
        tally: SharedMemory | None,
    ) -> None:
        shared = SharedMemory(size_of_status_board(slots))
        self.number = number
        self.board = StatusBoard(slots, shared.memory)
        self.began = time.monotonic()
        self.tally = tally
        self.was_killed = False  # by the supervisor, which has said why
        try:
            self._child = child.start(command, shared, tally)
        finally:
            shared.passed_on()
        self.pid = self._child.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        return self._child.poll()

    @property
    def has_crashed(self) -> bool:
        """Whether it has ended before it had finished.

        A signal to its last steps, when Python has given up its handlers, ends it
        as well as they do.
        """
        has_finished = (
            self.board.state >= ProcessState.LEAVING and not self.board.count()
        )
        last = [-signum for signum in SIGNALS] if has_finished else []
        return self.status not in (0, *last)

    def stop(self) -> None:
        """Let the process finish its jobs, and end."""
        self._child.let_go()

    def abandon(self) -> None:
        """Let the process end without waiting for its jobs: two signals mean that."""
        if sys.platform == "win32":
            self.kill()
        else:
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._child.send_signal(signum)

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.was_killed = True
        # Windows knows no SIGKILL, and ends a process at SIGTERM without asking it.
        how = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL
        self._child.send_signal(how)

    def is_hung(self, shutdown_timeout: float, awake_since: float) -> RunningJob | None:
        """Return a job that holds up all threads of the process, beyond its limit.

        The process itself would have buried it otherwise, 5 seconds after the limit;
        or after ``awake_since``, if it was frozen then.
        """
        patience = 2 * Timings().time_limit_grace
        if self.board.state is ProcessState.LEAVING:  # it has, and waits for other jobs
            patience += shutdown_timeout
        now = time.monotonic()
        for running in self.board.running():
            if running.limit and max(running.limit, awake_since) < now - patience:
                return running
        return None
