"""A slot that is stopped, or has no broker, loses no job and begins none too many."""

import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest

from jobqueue import BrokerError, JobQueue, Worker
from jobqueue.broker.address import Address
from jobqueue.job.decision import Decision
from jobqueue.worker.processes.status_board import StatusBoard
from jobqueue.worker.reporting.job_log import JobLog
from jobqueue.worker.reporting.reporter import Listener, Reporter
from jobqueue.worker.running.executor import ReservedJob, Result
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots import manager
from jobqueue.worker.slots.admission import Admission, CrashLoopGuard, GuardState
from jobqueue.worker.slots.outage import Outage
from jobqueue.worker.slots.shutdown import StopReason
from jobqueue.worker.slots.slot import Slot
from tests.helpers.fake_broker import (
    BODY,
    NOT_FOUND,
    RESERVED,
    SILENCE,
    FakeBroker,
    stats_reply,
)
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.worker_thread import with_timings, working

HOUR = 3600  # seconds


@pytest.fixture
def fake(socket_folder: Path) -> FakeBroker:
    return FakeBroker(socket_folder / "s")


@pytest.mark.parametrize(
    ("retries", "verdict"),
    [(1, b"release 9 7 1\r\n"), (0, b"bury 9 7\r\n")],
    ids=["retry", "no retry"],
)
def test_failure_during_a_drain(fake: FakeBroker, retries: int, verdict: bytes) -> None:
    """The job is tried again, or buried, as at any other time."""
    fake.on(b"reserve-with-timeout", RESERVED).on(b"stats-job", stats_reply())
    fake.on(b"release", b"RELEASED\r\n").on(b"bury", b"BURIED\r\n")
    fake.on(b"delete", b"DELETED\r\n")

    @JobQueue(fake.url).task("t", retries=retries, backoff=1)
    def work() -> None:
        worker.stop()
        raise ValueError

    worker = Worker(failures_kept=0)
    with fake:
        worker.run()

    assert fake.received[-1] == verdict


class StopsAfterTheFirst(Listener):
    """Stops a worker between the verdict on its first job and the next job."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        self._worker.stop()


def test_job_that_was_requested_before_the_stop(fake: FakeBroker) -> None:
    """It runs: the broker has handed it out, and nobody else gets it for a while."""
    fake.on(b"reserve-with-timeout", RESERVED, RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply()).on(b"delete", b"DELETED\r\n")
    ran: list[int] = []

    @JobQueue(fake.url).task("t")
    def work() -> None:
        ran.append(9)

    worker = with_timings(Worker(), arrival_patience=20)
    worker.manager.reporter.add(StopsAfterTheFirst(worker))
    with fake:
        worker.run()

    assert ran == [9, 9]


class StubConnection:
    """A connection on which a job arrives; ``at_reserve`` is called before that."""

    awaits_job = False

    def __init__(self, *, has_received: bool) -> None:
        self._has_received = has_received
        self.is_interrupted = False
        self.at_reserve: Any = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def watch_only(self, tubes: object) -> None: ...

    def has_received(self) -> bool:
        return self._has_received

    def interrupt(self) -> None:
        self.is_interrupted = True

    def reserve(self, timeout: int) -> tuple[int, bytes]:
        self.at_reserve()
        return 9, BODY


def slot_of(
    connect: Any, on_job_begin: Any = lambda: None, state: GuardState | None = None
) -> Slot:
    """Return a slot that runs no job."""
    nothing: Any = None
    state = state or GuardState(Timings())
    status_board = StatusBoard(1)
    (slot_status,) = status_board.slot_statuses
    reporter = Reporter()
    return Slot(
        connect,
        ["t"],
        executor=nothing,
        admission=Admission(state, reporter, has_many_tubes=False),
        outage=Outage(Address.parse("beanstalkd://nowhere"), reporter, status_board),
        reporter=reporter,
        slot_status=slot_status,
        on_job_begin=on_job_begin,
        on_job_ran=lambda: None,
    )


def test_look_before_the_cut() -> None:
    """A slot to which a job has just come is not cut off from the broker."""
    arrived, waits = (StubConnection(has_received=has) for has in (True, False))
    slots = [slot_of(lambda: None), slot_of(lambda: None)]
    for slot, connection in zip(slots, (arrived, waits), strict=True):
        slot._connection = connection  # type: ignore[assignment]
        slot._is_waiting = True
        slot.stop()

    assert [slot.interrupt_wait() for slot in slots] == [False, True]
    assert (arrived.is_interrupted, waits.is_interrupted) == (False, True)


@pytest.mark.parametrize("seconds_ago", [0, HOUR])
def test_patience_for_a_job_on_its_way(seconds_ago: int) -> None:
    """A slot that waits is cut off only a moment after the stop has begun."""
    connection = StubConnection(has_received=False)
    slot = slot_of(lambda: connection)
    slot._connection = connection  # type: ignore[assignment]
    slot._is_waiting = True
    JobQueue.task("t")(work_of_a_test)
    manager = with_timings(Worker(), arrival_patience=HOUR).manager
    manager._slots = [slot]
    manager._drain(StopReason.STOP, at=time.monotonic() - seconds_ago)

    assert manager._interrupt_idle_slots() is connection.is_interrupted
    assert connection.is_interrupted is bool(seconds_ago)


def test_last_job_of_max_jobs() -> None:
    """It stops the slots before it is settled: its verdict requests no other job."""
    JobQueue.task("t")(work_of_a_test)
    manager = Worker(max_jobs=2).manager
    manager._slots = [slot_of(lambda: None), slot_of(lambda: None)]
    are_stopping = []
    for _ in range(2):
        manager._count_job()  # as a slot does when a job has run
        are_stopping.append([slot._stopping.is_set() for slot in manager._slots])

    assert are_stopping == [[False, False], [True, True]]


def work_of_a_test() -> None: ...


def test_job_that_comes_at_the_cut() -> None:
    """It does not run, as the broker makes it ready again."""
    begun: list[int] = []
    connection = StubConnection(has_received=False)
    slot = slot_of(lambda: connection, lambda: begun.append(9))

    def stop() -> None:
        slot.stop()
        assert slot.interrupt_wait()

    connection.at_reserve = stop

    slot.run()

    assert (begun, slot.reservation) == ([], None)
    assert connection.is_interrupted


def test_stop_before_the_run(broker: Beanstalkd, queue: JobQueue) -> None:
    """No slot begins, so that no job is reserved."""

    @queue.task("t")
    def work() -> None: ...

    job_id = work.put()
    worker = Worker(threads=2)
    worker.stop()
    worker.run()

    assert broker.stats_job(job_id)["reserves"] == 0


@pytest.mark.parametrize("is_logged_late", [False, True])
def test_job_that_comes_at_the_exit(
    fake: FakeBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    is_logged_late: bool,
) -> None:
    """A job that has not begun when the worker waits no longer is put back."""
    fake.on(b"reserve-with-timeout", RESERVED).on(b"stats-job", stats_reply())
    fake.on(b"release", b"RELEASED\r\n")
    ran: list[int] = []
    arrived, has_exited = threading.Event(), threading.Event()
    admit = Admission.admit

    def admit_late(self: Admission, *args: Any) -> None:
        arrived.set()
        assert has_exited.wait(20)
        admit(self, *args)

    def report_late(*_: object) -> None:
        has_exited.set()
        eventually_true(lambda: any(c.startswith(b"release") for c in fake.received))

    @JobQueue(fake.url).task("t")
    def work() -> None:
        ran.append(9)

    monkeypatch.setattr(Admission, "admit", admit_late)
    monkeypatch.setattr(manager, "exit_now", has_exited.set)
    worker = Worker(shutdown_timeout=0)
    if is_logged_late:  # as nobody reads the log: the job could begin meanwhile
        monkeypatch.setattr(JobLog, "jobs_abandoned", report_late)
    with fake:
        thread = threading.Thread(target=worker.run)
        thread.start()
        assert arrived.wait(20)
        worker.manager.request_stop(StopReason.SIGNAL)
        thread.join(20)
        eventually_true(lambda: any(c.startswith(b"release") for c in fake.received))

    assert ran == []
    assert ("Stopping without waiting for job 9" in caplog.text) is not is_logged_late


class VirtualClock(threading.Event):
    """An event for which nobody waits: time passes by itself, until an hour is over."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        if self.now > HOUR:
            self.set()
        return self.is_set()


def test_outage_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot does not give up, however long it has waited for its broker."""

    def connect() -> None:
        raise BrokerError("there is none")

    state = GuardState(Timings())
    trusting = state.generation
    slot = slot_of(connect, state=state)
    clock = VirtualClock()
    monkeypatch.setattr(slot, "_stopping", clock)

    slot.run()

    assert clock.now > HOUR
    assert state.generation is not trusting  # each job is checked for a while


def test_lost_reservation_brings_doubt(
    fake: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job is checked for a while: this process may have been frozen."""
    fake.on(b"reserve-with-timeout", RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply()).on(b"delete", NOT_FOUND)
    doubted = threading.Event()
    monkeypatch.setattr(CrashLoopGuard, "restart", lambda _: doubted.set())

    @JobQueue(fake.url).task("t")
    def work() -> None: ...

    with fake, working(Worker()):
        assert doubted.wait(20)
