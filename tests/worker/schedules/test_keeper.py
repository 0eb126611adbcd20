"""The thread that keeps schedules: its connection, its end, and who has one."""

import os
import threading
from collections.abc import Callable

import pytest

from jobqueue import JobQueue, Worker, current_job
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.ticking import TickingConnection
from jobqueue.job.note_tubes import is_tick_tube
from jobqueue.schedule.tick import Tick
from jobqueue.task.registry import subscriber
from jobqueue.testing import eager, run_jobs
from jobqueue.worker.schedules.keeper import ScheduleKeeper
from jobqueue.worker.settings import Timings
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.ticks import put_tick
from tests.helpers.worker_thread import working

NOON = 1_800_000_000
TUBE = "jobqueue.schedules/t/f"


@pytest.fixture
def runs(queue: JobQueue) -> list[int]:
    """Return the due times for which a task runs, each second."""
    runs: list[int] = []

    @queue.task("t", every=1)
    def f() -> None:
        due = current_job().due
        assert due
        runs.append(int(due.timestamp()))

    return runs


@pytest.fixture
def keep(broker: Beanstalkd) -> Callable[..., ScheduleKeeper]:
    """Return a function that makes a keeper of all tasks, whose clock stands still."""

    def keep(now: float, check: float = 60) -> ScheduleKeeper:
        address = Address.parse(broker.url)
        tasks = subscriber.tasks(["t"])
        timings = Timings(schedules_check=check)
        return ScheduleKeeper(tasks, address, timings, lambda: now)

    return keep


def tick_tubes(broker: Beanstalkd) -> list[str]:
    with broker.client() as client:
        return [tube for tube in client.tubes() if is_tick_tube(tube)]


def test_each_second(broker: Beanstalkd, runs: list[int]) -> None:
    with working(Worker(["t"])):
        eventually_true(lambda: runs)

    assert broker.counts(TUBE) in ({"delayed": 1}, {"ready": 1})


@pytest.mark.thorough
def test_two_workers_that_start_at_once(runs: list[int]) -> None:
    with working(Worker(["t"])), working(Worker(["t"])):
        eventually_true(lambda: len(runs) >= 4)

    assert runs == list(range(runs[0], runs[0] + len(runs)))


def test_stop_while_a_tick_is_held(
    broker: Beanstalkd, runs: list[int], keep: Callable[..., ScheduleKeeper]
) -> None:
    """Another worker gets the tick at once."""
    with keep(NOON - 0.5) as keeper:
        eventually(lambda: broker.counts(TUBE), {"reserved": 1})
        keeper.worker_stopping("SIGTERM", [])
        eventually(lambda: broker.counts(TUBE), {"ready": 1})

    assert not runs


def test_one_tick_is_held_at_a_time(broker: Beanstalkd, queue: JobQueue) -> None:
    """If its worker freezes with two, beanstalkd gives neither to another."""

    @queue.task("t", every=1)
    def f() -> None: ...

    @queue.task("t", every=1)
    def g() -> None: ...

    looks: list[float] = []

    def clock() -> float:
        looks.append(NOON - 0.01)
        return looks[-1]

    tasks = subscriber.tasks(["t"])
    with ScheduleKeeper(tasks, Address.parse(broker.url), Timings(), clock):
        eventually_true(lambda: len(looks) > 100)

        states = [*broker.counts(TUBE), *broker.counts("jobqueue.schedules/t/g")]
        assert sorted(states) == ["ready", "reserved"]


def test_broker_that_forgets_everything(
    broker: Beanstalkd, queue: JobQueue, keep: Callable[..., ScheduleKeeper]
) -> None:
    @queue.task("t", every=3600)
    def f() -> None: ...

    with keep(NOON + 1):
        eventually(lambda: broker.counts(TUBE), {"delayed": 1})
        broker.kill()
        broker.start()
        eventually(lambda: broker.counts(TUBE), {"delayed": 1})


def test_tick_that_is_deleted(
    broker: Beanstalkd, queue: JobQueue, keep: Callable[..., ScheduleKeeper]
) -> None:
    """The check of each minute makes another."""

    @queue.task("t", every=3600)
    def f() -> None: ...

    with keep(NOON + 1, check=0.1):
        eventually(lambda: broker.counts(TUBE), {"delayed": 1})
        with broker.client(TUBE) as client:
            client.delete(client.peek_delayed())
        eventually(lambda: broker.counts(TUBE), {"delayed": 1})


def test_broker_that_is_too_old(
    broker: Beanstalkd,
    runs: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with OperatorConnection(Address.parse(broker.url)) as connection:
        server = connection.server()
    old = server._replace(version="1.11", is_draining=None)
    monkeypatch.setattr(TickingConnection, "server", lambda _: old)

    with working(Worker(["t"])):
        eventually_true(lambda: runs)

    assert caplog.text.count("Schedules need beanstalkd 1.12, and this is 1.11") == 1


@pytest.mark.usefixtures("runs")
def test_fork(broker: Beanstalkd, keep: Callable[..., ScheduleKeeper]) -> None:
    """A child that a task forks must not keep the tick of a dead worker reserved."""
    with keep(NOON - 0.5) as keeper:
        eventually(lambda: broker.counts(TUBE), {"reserved": 1})
        pid = os.fork()
        if not pid:
            connection = keeper._connection
            os._exit(connection is None or connection.is_open)
        _, status = os.waitpid(pid, 0)
        assert status == 0
        assert broker.counts(TUBE) == {"reserved": 1}


def test_late_tick(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """It was due while no worker was there, and is skipped."""
    ran = threading.Event()

    @queue.task("t", every=86400, late=5)
    def f() -> None:
        ran.set()

    midnight = 86400 * 20_000
    put_tick(broker, tube="t", func_name="f", due=midnight)
    with working(Worker(["t"])):
        eventually_true(lambda: "more than its late= allows" in caplog.text)
        eventually(lambda: broker.counts(TUBE), {"delayed": 1})

    assert not ran.is_set()


@pytest.mark.usefixtures("runs")
def test_worker_without_schedules(broker: Beanstalkd, queue: JobQueue) -> None:
    """A burst, run_jobs and eager make no ticks, nor does a worker of other tubes."""

    @queue.task("others")
    def g() -> None: ...

    Worker(["t"], burst=True).run()
    with working(Worker(["others"])):
        eventually(lambda: broker.waiting("others"), 1)
    run_jobs(broker.url)
    with eager():
        g.put()

    assert tick_tubes(broker) == []


def test_fault_of_ours(
    broker: Beanstalkd,
    runs: list[int],
    keep: Callable[..., ScheduleKeeper],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The thread says it, and goes on."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Tick, "encode", fail)
        with keep(NOON - 0.5):
            eventually_true(lambda: "ZeroDivisionError: no" in caplog.text)
            patch.undo()
            eventually(lambda: broker.counts(TUBE), {"reserved": 1})
    assert not runs
