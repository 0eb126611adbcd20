"""The heartbeat: touches that wait for nothing, however many jobs run."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jobqueue import JobQueue, Worker
from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.settlement import DONE
from jobqueue.job.context import current_job
from jobqueue.worker.processes.status_board import StatusBoard
from jobqueue.worker.reporting.reporter import Listener, Reporter
from jobqueue.worker.running.executor import ReservedJob
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.admission import CrashLoopGuard
from jobqueue.worker.slots.heartbeat import Heartbeat
from jobqueue.worker.slots.reservation import Reservation
from tests.helpers.reserved import stats
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_thread import with_timings, working

JOB = b'{"func_name":"work","tube":"t","kwargs":{}}'


def reservation(connection: ConsumerConnection, job_id: int) -> Reservation:
    (slot_status,) = StatusBoard(1).slot_statuses
    return Reservation(connection, job_id, JOB, slot_status)


def reserved(connection: ConsumerConnection) -> Reservation:
    connection.watch_only(["t"])
    job = connection.reserve(1)
    assert job is not None
    return reservation(connection, job[0])


@pytest.fixture
def silent(socket_folder: Path) -> Iterator[Address]:
    """Return the address of a broker that answers nothing, for a minute."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(socket_folder / "silent"))
        listening.listen()
        yield Address.parse(f"unix://{socket_folder}/silent?timeout=60")


@pytest.fixture
def trickling(socket_folder: Path) -> Iterator[Address]:
    """Return the address of a broker that sends half an answer."""
    with socket.socket(socket.AF_UNIX) as listening, ExitStack() as open_ones:
        listening.bind(str(socket_folder / "trickling"))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                open_ones.enter_context(connection)
                connection.sendall(b"TOUCHED\r\nOK 200\r\n---\nid: 9\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Address.parse(f"unix://{socket_folder}/trickling?timeout=60")
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("fault", ["silent", "trickling"])
def test_one_connection_holds_up_no_other(
    broker: Beanstalkd, queue: JobQueue, request: pytest.FixtureRequest, fault: str
) -> None:
    queue.task("t", ttr=1)(work_of_a_test).put()
    bad: Address = request.getfixturevalue(fault)
    with ExitStack() as stack:
        good = stack.enter_context(ConsumerConnection(Address.parse(broker.url)))
        ill = [stack.enter_context(ConsumerConnection(bad)) for _ in range(3)]
        running = [*(reservation(connection, 9) for connection in ill), reserved(good)]
        heartbeat = Heartbeat(lambda: running, Reporter(), Timings(), bad)
        heartbeat.start()
        stack.callback(heartbeat.close)
        client = stack.enter_context(broker.client())

        eventually_true(lambda: client.stats()["cmd-touch"] >= 5)  # more than its ttr
        assert broker.stats_job(1)["state"] == "reserved"
        assert broker.stats_job(1)["timeouts"] == 0


def work_of_a_test() -> None: ...


def test_blocked_log_holds_up_no_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """A listener that blocks does not keep the heartbeat from touching."""
    may_go_on = threading.Event()
    heard: list[str] = []

    class Blocking(Listener):
        def job_not_touched(self, job: ReservedJob, why: str) -> None:
            heard.append(why)
            may_go_on.wait(60)

    queue.task("t", ttr=1)(work_of_a_test).put()
    address = Address.parse(broker.url)
    with ConsumerConnection(address) as good, ConsumerConnection(address) as other:
        running = [reservation(other, 99), reserved(good)]
        heartbeat = Heartbeat(lambda: running, Reporter(Blocking()), Timings(), address)
        heartbeat.start()
        with broker.client() as client:
            eventually_true(lambda: client.stats()["cmd-touch"] >= 6)
        heartbeat.close()

        assert heard == ["it was not reserved for this worker"]
        assert broker.stats_job(1)["timeouts"] == 0
    may_go_on.set()


def test_fault_holds_up_no_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """The log names the error, and the other jobs are touched."""
    heard: list[str] = []

    class Hearing(Listener):
        def job_not_touched(self, job: ReservedJob, why: str) -> None:
            heard.append(why)

    queue.task("t", ttr=1)(work_of_a_test).put()
    address = Address.parse(broker.url)
    faulty: ConsumerConnection = Untouchable()  # type: ignore[assignment]
    with ConsumerConnection(address) as good:
        running = [reservation(faulty, 99), reserved(good)]
        heartbeat = Heartbeat(lambda: running, Reporter(Hearing()), Timings(), address)
        heartbeat.start()
        with broker.client() as client:
            eventually_true(lambda: client.stats()["cmd-touch"] >= 2)
        heartbeat.close()

    (why,) = heard
    assert why.startswith("AttributeError: 'Untouchable' object has no attribute")


@pytest.mark.parametrize(("ttr", "pause"), [(1, 1 / 3), (3, 1), (12, 4), (60, 4)])
def test_pause_between_touches(ttr: int, pause: float) -> None:
    """It is a third of the time to run, and 4 s at most."""
    unused: Any = None
    job = reservation(unused, 7)
    job.stats_at_touch = stats(ttr=ttr)
    heartbeat = Heartbeat(lambda: [job], Reporter(), Timings(), unused)

    assert heartbeat._pulse_of(job)._touch_pause() == pause


def test_long_ttr(broker: Beanstalkd, queue: JobQueue) -> None:
    """A job is touched often enough for what ends idle connections on the way."""
    finish = threading.Event()

    @queue.task("t", ttr=10**6)
    def work() -> None:
        finish.wait(20)

    work.put()
    with working(with_timings(Worker(), longest_touch_pause=0.1)):
        with broker.client() as client:
            eventually_true(lambda: client.stats()["cmd-touch"] >= 3)
        finish.set()


@pytest.mark.parametrize("max_lost", [1, 5])
def test_silence_that_ends(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    max_lost: int,
) -> None:
    """A broker that is silent for longer than the time-out takes no job away."""
    begun, finish = threading.Event(), threading.Event()
    runs: list[int] = []

    @queue.task("t", ttr=60, max_lost=max_lost)
    def work() -> None:
        runs.append(current_job().id)
        begun.set()
        finish.wait(20)

    work.put()
    worker = Worker(url=f"{broker.url}?timeout=0.3")
    with working(with_timings(worker, longest_touch_pause=0.1)):
        assert begun.wait(20)
        with broker.client() as client:
            eventually_true(lambda: client.stats()["cmd-touch"] >= 1)
        broker.signal(signal.SIGSTOP)
        eventually_true(lambda: "did not answer in time" in caplog.text)
        broker.signal(signal.SIGCONT)
        finish.set()
        eventually(lambda: broker.counts("t"), {})

    assert runs == [1]
    assert caplog.text.count("may run twice") == 1


def test_other_commands_after_a_touch(broker: Beanstalkd, queue: JobQueue) -> None:
    """Their replies are told from that of the touch, which is kept."""
    queue.task("t")(work_of_a_test).put_many([{}] * 2)
    with ConsumerConnection(Address.parse(broker.url)) as connection:
        job = reserved(connection)
        for with_stats in (True, False):
            connection.begin_touch(job.id, with_stats=with_stats)
            assert connection.touch(job.id)
            touched = connection.end_touch()
            assert touched is not None
            assert touched.is_reserved
            assert (touched.stats is not None) == with_stats
        connection.begin_touch(job.id, with_stats=True)
        stats = connection.stats_job(job.id)
        assert stats is not None
        assert stats.id == job.id
        connection.begin_touch(job.id, with_stats=True)
        assert connection.settle(job.id, DONE, reserve=1)
        second = connection.reserve(1)
        assert second == (2, JOB.replace(b"work", b"work_of_a_test"))
        connection.begin_touch(2, with_stats=False)
        assert connection.reserve(0) is None
        connection.begin_touch(1, with_stats=True)  # it has gone
        eventually_true(connection.end_touch)
        assert connection.end_touch() == (False, None)


def test_task_of_a_buried_job(
    broker: Beanstalkd, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was buried while it runs is its task's own, and is kept in touch."""
    monkeypatch.setattr(CrashLoopGuard, "must_check", lambda *_: False)
    may_end = threading.Event()

    @queue.task("t", max_lost=1)
    def work() -> None:
        assert may_end.wait(20)
        current_job().touch()
        assert current_job().attempt == 2

    work.put()
    with broker.client("t") as lost:
        lost.reserve(0)
    with working(with_timings(Worker(), longest_touch_pause=0.1)):
        eventually(lambda: broker.counts("t"), {"buried": 1})
        with broker.client() as client:
            touches = client.stats()["cmd-touch"]
            eventually_true(lambda: client.stats()["cmd-touch"] > touches + 1)
        may_end.set()
        eventually(lambda: broker.counts("t"), {})


def test_job_that_another_thread_talks_about() -> None:
    """The heartbeat waits for no lock, and touches no job that has ended."""
    connection: ConsumerConnection = Untouchable()  # type: ignore[assignment]
    job = reservation(connection, 7)
    with job._lock:
        assert not job.begin_touch()
        assert job.end_touch() is None
    job.end()
    assert job.begin_touch()
    assert job.end_touch() is False
    assert not job.touch()
    assert job.stats() is None


class Untouchable:
    """A connection on which nothing may be sent."""
