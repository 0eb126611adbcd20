"""One worker process, as its supervisor sees it."""

import signal
import sys
import time

from jobqueue.worker.processes import child
from jobqueue.worker.processes.shared_memory import SharedMemory
from jobqueue.worker.processes.signals import QUIET_SIGNAL, STOP_SIGNALS
from jobqueue.worker.processes.spawn_command import SpawnCommand
from jobqueue.worker.processes.status_board import (
    ProcessState,
    RunningJob,
    StatusBoard,
    size_of_status_board,
)

CANNOT_START = 2  # exit status

# The exit status that Python makes of 0 if it can't flush standard output at its end:
# see sys.exit. The reader of a pipe may be gone, or a disk be full.
_NOT_FLUSHED = 120


class Process:
    """One worker process, which takes the ``number``th seat of its supervisor.

    Raises ``OSError`` if it can't be started; and in the process itself, if it was
    forked, :class:`~jobqueue.worker.processes.child.Forked`.
    """

    def __init__(
        self,
        number: int,
        command: SpawnCommand,
        slots: int,
        counters: SharedMemory | None,
        *,
        is_quiet: bool = False,
    ) -> None:
        status = SharedMemory(size_of_status_board(slots))
        self.number = number
        self.status_board = StatusBoard(slots, status.memory)
        self.status_board.is_quiet = is_quiet
        self.began = time.monotonic()
        self.counters = counters
        self.was_killed = False  # by the supervisor, which has logged why
        try:
            self._child = child.start(command, status, counters)
        finally:
            status.close_fds()
        self.pid = self._child.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        return self._child.poll()

    @property
    def has_worked(self) -> bool:
        """Whether it came so far as to take jobs with all of its threads."""
        return self.status_board.state is not ProcessState.STARTING

    @property
    def has_crashed(self) -> bool:
        """Whether it ended before it had finished.

        A stop signal may end a process in its last steps, when Python has given up its
        handlers. That is no crash, and nor is output that can't be flushed.
        """
        has_finished = (
            self.status_board.state >= ProcessState.LEAVING
            and not self.status_board.count()
        )
        if not has_finished:
            return self.exit_status != 0
        harmless = [-signum for signum in STOP_SIGNALS]
        return self.exit_status not in (0, _NOT_FLUSHED, *harmless)

    def stop(self, reason: str) -> None:
        """Have the process finish its jobs and end; it logs the reason."""
        self._child.close_pipe(reason)

    def quieten(self) -> None:
        """Have the process take no more jobs, whatever stage of its life it is in."""
        self.status_board.is_quiet = True
        if QUIET_SIGNAL is not None:
            self._child.send_signal(QUIET_SIGNAL)

    def close_pipe(self) -> None:
        """Close this process's end of the pipe."""
        self._child.close_pipe()

    def abandon_jobs(self) -> None:
        """Have the process end without waiting for its jobs."""
        if sys.platform == "win32":
            self.kill()
        else:
            self.status_board.must_abandon_jobs = True
            self._child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.was_killed = True
        # Windows has no SIGKILL, and ends a process at SIGTERM without asking it.
        how = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL
        self._child.send_signal(how)

    def job_beyond_limit(
        self, patience: float, awake_since: float
    ) -> RunningJob | None:
        """Return a job that runs ``patience`` seconds after its time limit, if any.

        While the process was suspended it could not act, so ``patience`` begins at
        ``awake_since`` (``time.monotonic()``) if that is later than the limit.
        """
        now = time.monotonic()
        for job in self.status_board.running():
            if job.deadline and max(job.deadline, awake_since) < now - patience:
                return job
        return None

    def describe_exit(self) -> str:
        """Return how the process ended, as in "was killed by SIGKILL"."""
        status = self.exit_status
        if status is None or status >= 0:
            return f"has exited with status {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"was killed by {name}"
