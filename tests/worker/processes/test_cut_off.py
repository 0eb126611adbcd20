"""The log names each job that a supervisor cuts off by killing its process."""

import pytest

from jobqueue.worker.processes.process import Process
from jobqueue.worker.processes.spawn_command import SpawnCommand
from jobqueue.worker.processes.status_board import RunningJob, StatusBoard
from jobqueue.worker.processes.supervisor import Supervisor


class Frozen(Process):
    """A process that runs the jobs 7 and 8, and does not react."""

    exit_status = None

    def __init__(self) -> None:
        self.number, self.pid = 1, 4321
        self.status_board = StatusBoard(2)
        for slot_status, job_id in zip(
            self.status_board.slot_statuses, (7, 8), strict=True
        ):
            slot_status.begin(job_id)
        self.was_killed = False

    def abandon_jobs(self) -> None: ...

    def kill(self) -> None:
        self.was_killed = True

    def job_beyond_limit(self, _patience: float, _awake_since: float) -> RunningJob:
        return RunningJob(7, 1.0)


@pytest.fixture
def frozen() -> Frozen:
    return Frozen()


@pytest.fixture
def supervisor(frozen: Frozen) -> Supervisor:
    command = SpawnCommand([])
    supervisor = Supervisor(command, processes=1, threads=2, shutdown_timeout=0)
    supervisor._seats[0].process = frozen
    return supervisor


def test_process_that_does_not_stop(
    supervisor: Supervisor, frozen: Frozen, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor._abandon()
    assert not frozen.was_killed
    supervisor._deadline = 0
    supervisor._abandon()

    assert frozen.was_killed
    (message,) = caplog.messages
    assert message.endswith("as it does not stop, while it runs job 7, job 8")


def test_process_that_hangs(
    supervisor: Supervisor, frozen: Frozen, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor._kill_if_hung(frozen)

    assert frozen.was_killed
    (message,) = caplog.messages
    assert "job 7 has not ended long after its time limit" in message
    assert message.endswith("; that also cuts off job 8")
