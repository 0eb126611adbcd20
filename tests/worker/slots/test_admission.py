"""Jobs that kill their worker: real processes that really die."""

import logging
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jobqueue import JobQueue, Worker
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.settlement import Buried, Outcome
from jobqueue.broker.stats import JobStats
from jobqueue.errors import CrashLoopError
from jobqueue.job.outcome import RetryPolicy, RunLater
from jobqueue.task.registry import subscriber
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.admission import Admission, CrashLoopGuard, GuardState
from tests.helpers.fake_broker import (
    NOT_FOUND,
    RESERVED,
    SILENCE,
    FakeBroker,
    stats_reply,
)
from tests.helpers.reserved import stats
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, eventually_true
from tests.helpers.worker_process import WorkerProcess, copy_app
from tests.helpers.worker_thread import working

GOOD = 200
MAX_LOST = 3


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_app("crash_loops", tmp_path)
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    return tmp_path


def good(n: int) -> None: ...


def slow(n: int) -> None: ...


def bad(how: str) -> None: ...


def put(broker: Beanstalkd, how: str, bad_priority: int) -> int:
    """Put good jobs, and a bad one among them."""
    with JobQueue(broker.url) as queue:
        put_good = queue.task("t")(good).put_many
        put_good({"n": n} for n in range(GOOD // 2))
        bad_id = queue.task("t", priority=bad_priority)(bad).put(how=how)
        put_good({"n": n} for n in range(GOOD // 2, GOOD))
    return bad_id


def ran(logs: list[str]) -> tuple[set[int], int]:
    """Return which good jobs have run, and how often the bad one has begun."""
    text = "\n".join(logs)
    done = re.findall(r"^good (\d+)$", text, re.MULTILINE)
    return set(map(int, done)), len(re.findall(r"^bad$", text, re.MULTILINE))


def is_worked_off(broker: Beanstalkd, *logs: str, runs: int = MAX_LOST) -> bool:
    """Return whether the bad job is left alone, and its last run has begun as well.

    It is buried before that.
    """
    return broker.counts("t") == {"buried": 1} and ran([*logs])[1] >= runs


@pytest.mark.parametrize(
    ("how", "bad_priority"),
    [
        ("exit", 0),
        ("kill", 2**16),
        ("segfault", 2**20),
    ],
)
def test_crash_loop(app: Path, broker: Beanstalkd, how: str, bad_priority: int) -> None:
    """Good jobs run, and the one that kills each process is buried."""
    bad_id = put(broker, how, bad_priority)
    with WorkerProcess(app, "--import=tasks", "--processes=4") as worker:
        eventually_true(lambda: is_worked_off(broker, worker.log), within=2 * DEADLINE)
        assert worker.process.poll() is None
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0
        done, begun = ran([worker.log])

    assert done == set(range(GOOD))
    assert MAX_LOST <= begun <= MAX_LOST + 4
    buried = f"Job {bad_id} buried while it runs: bad (tube t): its worker was lost"
    assert buried in worker.log


@pytest.mark.parametrize(
    ("how", "bad_priority"),
    [
        ("exit", 0),
        ("kill", 2**16),
        ("segfault", 2**20),
    ],
)
def test_crash_loop_with_restarts(
    app: Path, broker: Beanstalkd, how: str, bad_priority: int
) -> None:
    """A service manager restarts a process that has no supervisor."""
    put(broker, how, bad_priority)
    logs: list[str] = []
    deadline = time.monotonic() + 2 * DEADLINE
    while not is_worked_off(broker, *logs):
        assert time.monotonic() < deadline, logs
        with WorkerProcess(app, "--import=tasks") as worker:
            eventually_true(
                lambda: (
                    worker.process.poll() is not None
                    or is_worked_off(broker, *logs, worker.log)
                )
            )
            logs.append(worker.log)

    done, begun = ran(logs)
    assert done == set(range(GOOD))
    assert MAX_LOST <= begun <= MAX_LOST + 1


def test_kick_after_a_crash_loop(app: Path, broker: Beanstalkd) -> None:
    """The job may be lost as often again."""
    bad_id = put(broker, "exit", 0)
    with WorkerProcess(app, "--import=tasks", "--processes=2") as worker:
        for kicks in range(2):
            runs = MAX_LOST * (kicks + 1)
            eventually_true(
                lambda: is_worked_off(broker, worker.log, runs=runs),  # noqa: B023
                within=2 * DEADLINE,
            )
            _, begun = ran([worker.log])
            assert MAX_LOST * (kicks + 1) <= begun <= (MAX_LOST + 2) * (kicks + 1)
            with broker.client("t") as client:
                client.kick_job(bad_id)


def test_crash_loop_in_old_workers(app: Path, broker: Beanstalkd) -> None:
    """Old workers ask for no counts, until one of them has died."""
    with WorkerProcess(app, "--import=tasks", "--processes=2") as worker:
        eventually(lambda: broker.waiting("t"), 2)
        with broker.client() as client:

            def is_trusted() -> bool:
                before = client.stats()["cmd-stats-job"]
                with JobQueue(broker.url) as queue:
                    queue.task("t")(good).put(n=GOOD)
                eventually(lambda: broker.counts("t"), {})
                return client.stats()["cmd-stats-job"] == before

            eventually_true(lambda: all(is_trusted() for _ in range(8)))
        put(broker, "kill", 2**16)
        eventually_true(lambda: is_worked_off(broker, worker.log), within=2 * DEADLINE)
        done, begun = ran([worker.log])

    assert done >= set(range(GOOD))
    assert MAX_LOST <= begun <= MAX_LOST + 2


def test_suspect_after_a_lost_reservation(
    socket_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A frozen process keeps its connection, and gets the job again."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"reserve-with-timeout", RESERVED, RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply(reserves=2), stats_reply(reserves=3))
    fake.on(b"delete", NOT_FOUND).on(b"bury", b"BURIED\r\n")
    ran = []
    with fake:

        @JobQueue(fake.url).task("t")
        def work() -> None:
            ran.append(1)

        with working(Worker(failures_kept=0)):
            eventually_true(lambda: "Job 9 buried while it runs" in caplog.text)
            eventually(lambda: ran, [1, 1])

    buries = [command for command in fake.received if command.startswith(b"bury")]
    assert buries == [b"bury 9 7\r\n"]


def test_suspect_until_proved() -> None:
    state = GuardState(Timings())
    first, second = CrashLoopGuard(state), CrashLoopGuard(state)
    proof = stats(reserves=1)
    assert first.must_check(10)
    first.learn(10, proof)
    assert first.must_check(11)  # perhaps an urgent one, which others are lost with

    state._first_job_at = time.monotonic() - 1
    first.learn(11, stats(reserves=1, delay=9))
    assert not first.must_check(12)
    assert second.must_check(13)  # its first one

    second.learn(13, stats(reserves=1, delay=9))  # others may have been ready before it
    second.learn(14, stats(reserves=2))
    assert second.must_check(15)
    second.learn(15, proof)
    assert not second.must_check(16)

    second.restart()  # it has lost a reservation, maybe since the process was frozen
    assert first.must_check(17)
    first.learn(17, stats(reserves=2))
    assert first.must_check(18)


def test_trusted_after_a_minute() -> None:
    state = GuardState(Timings())
    guard = CrashLoopGuard(state)
    guard.learn(1, stats(reserves=1, delay=9))
    state._first_job_at = time.monotonic() - 61
    assert guard.must_check(2)
    guard.learn(2, stats(reserves=1, delay=9))
    assert not guard.must_check(3)


def test_out_of_order_job_is_suspect() -> None:
    state = GuardState(Timings())
    guard = CrashLoopGuard(state)
    state._first_job_at = time.monotonic() - 1
    guard.learn(20, stats(reserves=1))

    assert not guard.must_check(21)
    guard.let_pass(21)
    assert guard.must_check(21)
    assert guard.must_check(5)

    guard.learn(5, stats(reserves=2))  # it was reserved before, as others may be
    assert guard.must_check(20)

    guard.learn(5, stats(reserves=1))  # 20 was more urgent, and 5 is next in order
    assert not guard.must_check(6)


class Asked:
    """A reservation whose counts a test sets."""

    id = 7

    def __init__(self, **counts: int) -> None:
        self.has_last_chance = False
        self.is_buried = False
        self._stats = stats(**counts)

    def stats(self) -> JobStats:
        return self._stats

    def bury_doubted(self, stats: JobStats) -> bool:
        self.is_buried = True
        return True


def test_one_last_chance_at_a_time() -> None:
    state = GuardState(Timings())
    first, second = (
        Admission(state, Reporter(), has_many_tubes=False) for _ in range(2)
    )

    @JobQueue().task("t", max_lost=3)
    def work() -> None: ...

    (task,) = subscriber.tasks(["t"])

    def admitted(admission: Admission, reserves: int) -> Any:
        asked: Any = Asked(reserves=reserves)
        admission.admit(asked, task, lambda: False)
        return asked

    assert not admitted(first, 1).has_last_chance
    assert not admitted(first, 2).has_last_chance
    last_chance = admitted(first, 3)
    assert last_chance.has_last_chance
    assert last_chance.is_buried
    assert not admitted(second, 2).has_last_chance
    with pytest.raises(RunLater):
        admitted(second, 3)
    first.release(last_chance)
    assert admitted(second, 3).has_last_chance


def test_lost_once() -> None:
    """With a limit of 1, a job that was lost is refused."""
    admission = Admission(GuardState(Timings()), Reporter(), has_many_tubes=False)
    asked: Any = Asked(reserves=2)

    @JobQueue().task("t", max_lost=1)
    def work() -> None: ...

    (task,) = subscriber.tasks(["t"])

    with pytest.raises(CrashLoopError):
        admission.admit(asked, task, lambda: False)


@pytest.mark.parametrize("max_lost", [1, None])
def test_no_last_chance(max_lost: int | None) -> None:
    """A job with one chance, or with any number, has no last one."""
    policy = RetryPolicy(max_lost=max_lost)

    found = [policy.is_last_chance(stats(reserves=n)) for n in (1, 2, 3)]
    assert found == [False, False, False]


@pytest.mark.thorough
def test_neighbours_are_not_buried(app: Path, broker: Beanstalkd) -> None:
    """Jobs that run beside one that kills its worker are not buried with it."""
    with JobQueue(broker.url) as queue:
        slow_ids = queue.task("t")(slow).put_many([{"n": n} for n in range(3)])
        bad_id = queue.task("t")(bad).put(how="kill")
    with WorkerProcess(app, "--import=tasks", "--processes=2", "--threads=4") as worker:
        eventually_true(lambda: is_worked_off(broker, worker.log), within=2 * DEADLINE)
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0  # it logs what it has done after having done it
        log = worker.log

    ends = r"Job (\d+)(?: done|, which was buried while it ran, has ended well)"
    assert broker.stats_job(bad_id)["state"] == "buried"
    assert sorted(re.findall(ends, log)) == sorted(map(str, slow_ids))
    assert re.search(r"Job \d+ put back for a moment: ", log)


@pytest.mark.parametrize("succeeds", [True, False])
def test_late_counts_bury_a_running_job(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    succeeds: bool,
) -> None:
    """A job that was started unchecked is buried before it crashes its process."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(CrashLoopGuard, "must_check", lambda *_: False)
    may_end = threading.Event()

    @queue.task("t", max_lost=1)
    def work() -> None:
        assert may_end.wait(DEADLINE)
        if not succeeds:
            raise ValueError

    job_id = work.put()
    with broker.client("t") as lost:
        lost.reserve(0)
    with working(Worker()):
        eventually(lambda: broker.counts("t"), {"buried": 1})
        may_end.set()
        eventually_true(lambda: "while it ran, has ended" in caplog.text)
        eventually(lambda: broker.waiting("t"), 1)

    assert f"Job {job_id} buried while it runs: work (tube t): its worker was" in (
        caplog.text
    )
    assert broker.counts("t") == ({} if succeeds else {"buried": 1})
    assert ("has ended well and is deleted" in caplog.text) == succeeds
    assert ("ValueError" in caplog.text) != succeeds


def test_buried_job_succeeds(
    broker: Beanstalkd, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that succeeds just as it is buried is deleted."""
    monkeypatch.setattr(CrashLoopGuard, "must_check", lambda *_: False)
    is_being_buried, has_ended = threading.Event(), threading.Event()
    settle = ConsumerConnection.settle

    def settle_slowly(
        connection: ConsumerConnection,
        job_id: int,
        outcome: Outcome,
        *,
        reserve: int | None = None,
    ) -> bool:
        if isinstance(outcome, Buried):
            is_being_buried.set()
            assert has_ended.wait(DEADLINE)
            time.sleep(0.1)  # while the slot, too, has something to tell the broker
        return settle(connection, job_id, outcome, reserve=reserve)

    monkeypatch.setattr(ConsumerConnection, "settle", settle_slowly)

    @queue.task("t", max_lost=1)
    def work() -> None:
        assert is_being_buried.wait(DEADLINE)
        has_ended.set()

    work.put()
    with broker.client("t") as lost:
        lost.reserve(0)
    with working(Worker(failures_kept=0)):
        eventually_true(has_ended.is_set)
        eventually(lambda: broker.counts("t"), {})


def test_ids_begin_again() -> None:
    """After a reconnect, low ids are as good as high ones: soon none is checked."""
    state = GuardState(Timings())
    guard = CrashLoopGuard(state)
    guard.learn(1000, stats(reserves=1))

    guard.restart()
    guard.learn(1, stats(reserves=2))
    state._first_job_at = time.monotonic() - 61
    guard.learn(2, stats(reserves=2))

    assert not guard.must_check(3)
