"""Whether the worker processes of a supervisor live, and whether they take jobs."""

import time
from collections.abc import Callable, Iterator, Sequence

from jobqueue.worker.processes.process import Process
from jobqueue.worker.processes.seat import Seat
from jobqueue.worker.processes.status_board import ProcessState, StatusBoard


class Health:
    """What the status boards say about the processes, to be asked from any thread.

    ``is_stopping`` returns whether the supervisor stops. The boards have to be watched
    ones: else the ends of jobs are no signs of life.
    """

    def __init__(self, seats: Sequence[Seat], is_stopping: Callable[[], bool]) -> None:
        self._seats = seats
        self._is_stopping = is_stopping

    def faults(self) -> list[str]:
        """Return why the worker is not healthy: what is stuck, and since when.

        A slot is stuck if its loop has not turned for longer than any wait for the
        broker takes, and it runs no job; and if it does run one, but nothing else in
        its process runs, as the process is frozen. A process that starts, or whose
        place is empty for a moment, is the supervisor's business, and no fault.
        """
        return [
            f"process {process.number} (pid {process.pid}), {fault}"
            for process in self._processes()
            for fault in _faults_of(process.status_board)
        ]

    def obstacles(self) -> list[str]:
        """Return why the worker takes no jobs now, or not with all of its processes."""
        if self._is_stopping():
            return ["it is stopping"]
        obstacles = [
            f"process {seat.number} {obstacle}"
            for seat in self._seats
            if not seat.is_done and (obstacle := _obstacle_of(seat.process))
        ]
        return obstacles + self.faults()

    def count_running(self) -> int:
        """Return how many jobs run now."""
        alive = [p for p in self._processes() if p.exit_status is None]
        return sum(process.status_board.count() for process in alive)

    def count_quiet(self) -> int:
        """Return how many processes have been told to take no more jobs."""
        return sum(process.status_board.is_quiet for process in self._processes())

    def _processes(self) -> Iterator[Process]:
        for seat in self._seats:
            yield from seat.processes()


def _faults_of(board: StatusBoard) -> Iterator[str]:
    """Yield each slot that is stuck, and since when."""
    state = board.state
    if state is ProcessState.STARTING:
        return
    now = time.monotonic()
    for number, slot in enumerate(board.slot_statuses, start=1):
        job = slot.read()
        if job is not None:
            silent = now - max(slot.turned_at, board.beaten_at)
            what = f"it runs job {job.job_id}, and nothing else in its process for"
        elif state is ProcessState.WORKING and not board.is_quiet:
            silent = now - slot.turned_at
            what = "its loop has not turned for"
        else:
            continue  # it has ended, or is about to
        if silent > board.longest_turn:
            yield f"slot {number}: {what} {silent:.0f} s"


def _obstacle_of(process: Process | None) -> str | None:
    if process is None:
        return "is not there"
    board = process.status_board
    match board.state:
        case ProcessState.STARTING:
            return "is starting"
        case ProcessState.WORKING if not board.is_quiet:
            return None if board.has_broker else "has no connection to the broker"
        case _:
            return "takes no more jobs"
