"""What the status boards say about the health of processes."""

import math
import time
from types import SimpleNamespace
from typing import Any

import pytest

from jobqueue.worker.processes.health import Health
from jobqueue.worker.processes.seat import Seat
from jobqueue.worker.processes.status_board import ProcessState, StatusBoard
from jobqueue.worker.settings import Timings


class Worker:
    """One process of two slots that are fine, and its supervisor's view of it."""

    def __init__(self) -> None:
        self.board = StatusBoard(2, is_watched=True)
        self.board.state = ProcessState.WORKING
        self.board.longest_turn = 60
        self.board.has_broker = True
        self.is_stopping = False
        process: Any = SimpleNamespace(number=1, pid=7, status_board=self.board)
        self.seat = Seat(1, Timings(), process)
        self.health = Health([self.seat], lambda: self.is_stopping)
        for slot in self.board.slot_statuses:
            slot.turn()

    def let_pass(self, seconds: float) -> None:
        """Have all that was noted be so much older."""
        for slot in self.board.slot_statuses:
            slot._turned_at[0] -= seconds
        self.board._times[1] -= seconds


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_well(worker: Worker) -> None:
    worker.let_pass(59)

    assert worker.health.faults() == []
    assert worker.health.obstacles() == []


def test_dead_thread(worker: Worker) -> None:
    """The slot is named whose loop turns no more."""
    worker.let_pass(61)
    worker.board.slot_statuses[0].turn()

    assert worker.health.faults() == [
        "process 1 (pid 7), slot 2: its loop has not turned for 61 s"
    ]


def test_long_job(worker: Worker) -> None:
    for slot in worker.board.slot_statuses:
        slot.begin(9)
    worker.let_pass(3600)
    worker.board.beat()

    assert worker.health.faults() == []


def test_end_of_a_long_job(worker: Worker) -> None:
    for slot in worker.board.slot_statuses:
        slot.begin(9)
    worker.let_pass(3600)
    for slot in worker.board.slot_statuses:
        slot.end()

    assert worker.health.faults() == []


def test_job_that_has_just_begun(worker: Worker) -> None:
    """It is no fault that nothing beats while no job runs."""
    worker.board.beat()
    worker.board._times[1] -= 3600
    worker.board.slot_statuses[0].begin(9)

    assert worker.health.faults() == []


@pytest.mark.parametrize("state", [ProcessState.WORKING, ProcessState.LEAVING])
def test_frozen_process_with_a_job(worker: Worker, state: ProcessState) -> None:
    worker.board.slot_statuses[0].begin(9)
    worker.board.slot_statuses[1].leave()
    worker.board.state = state
    worker.board.beat()
    worker.let_pass(61)

    (fault,) = worker.health.faults()
    assert fault.startswith("process 1 (pid 7), slot 1: it runs job 9, and nothing")
    assert fault.endswith(" for 61 s")


def test_slot_that_has_ended(worker: Worker) -> None:
    """In a burst, the others may have jobs for hours."""
    for slot in worker.board.slot_statuses:
        slot.leave()
    worker.let_pass(3600)

    assert worker.board.slot_statuses[0].turned_at == math.inf
    assert worker.health.faults() == []


@pytest.mark.parametrize("state", [ProcessState.STARTING, ProcessState.DONE])
def test_process_without_slots_at_work(worker: Worker, state: ProcessState) -> None:
    """An application may take its time to be imported."""
    worker.let_pass(time.monotonic())
    worker.board.state = state

    assert worker.health.faults() == []


def test_broker_away(worker: Worker) -> None:
    worker.board.has_broker = False

    assert worker.health.faults() == []
    assert worker.health.obstacles() == ["process 1 has no connection to the broker"]


@pytest.mark.parametrize(
    ("state", "obstacle"),
    [
        (ProcessState.STARTING, "process 1 is starting"),
        (ProcessState.LEAVING, "process 1 takes no more jobs"),
    ],
)
def test_process_that_does_not_work(
    worker: Worker, state: ProcessState, obstacle: str
) -> None:
    worker.board.state = state

    assert worker.health.obstacles() == [obstacle]


def test_empty_seat(worker: Worker) -> None:
    worker.seat.process = None

    assert worker.health.faults() == []
    assert worker.health.obstacles() == ["process 1 is not there"]


def test_quiet(worker: Worker) -> None:
    """Its slots have ended, or have never begun."""
    worker.board.is_quiet = True
    worker.let_pass(time.monotonic())

    assert worker.health.faults() == []
    assert worker.health.obstacles() == ["process 1 takes no more jobs"]
    assert worker.health.count_quiet() == 1


def test_stopping(worker: Worker) -> None:
    worker.is_stopping = True

    assert worker.health.obstacles() == ["it is stopping"]


def test_burst_that_is_over(worker: Worker) -> None:
    worker.seat.process, worker.seat.is_done = None, True

    assert worker.health.obstacles() == []
