"""Slots on the event loop, as the broker, the loop, threads or the log fail them."""

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from jobqueue import JobQueue, Worker, current_job
from jobqueue.worker.running.executor import Executor
from jobqueue.worker.slots import loop_slot
from jobqueue.worker.slots.slot_thread import THREAD_NAME
from tests.helpers.fake_broker import (
    HANG_UP,
    RESERVED,
    SILENCE,
    Answer,
    FakeBroker,
    cut,
    stats_reply,
)
from tests.helpers.own_loop import close_own_loop
from tests.helpers.refused_threads import refusing_threads
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_process import WorkerProcess, write_module
from tests.helpers.worker_thread import slot_threads, with_timings, working


def test_broker_killed(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """Idle slots wait for it together, jobs run to their end, and all goes on."""
    ran: list[int] = []
    runs = threading.Event()

    @queue.task("t")
    async def work(n: int) -> None:
        runs.set()
        await asyncio.sleep(0.3)
        ran.append(n)

    worker = with_timings(Worker(threads=8), longest_reconnect_pause=0.1)
    with working(worker):
        eventually(lambda: broker.waiting("t"), 8)
        work.put(1)
        assert runs.wait(20)
        broker.kill()
        eventually_true(lambda: "Waiting for the broker" in caplog.text)
        eventually(lambda: ran, [1])
        broker.start()
        eventually(lambda: broker.waiting("t"), 8)
        eventually(slot_threads, 0)
        work.put(2)
        eventually(lambda: ran, [1, 2])
    assert caplog.text.count("Waiting for the broker") == 1


@pytest.mark.parametrize(
    "answer", [HANG_UP, SILENCE, cut(b"DELE"), Answer(b"NONSENSE\r\n")]
)
def test_delete_is_not_confirmed(
    socket_folder: Path, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    """The job's end is logged as unknown, and the slot connects again."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"reserve-with-timeout", RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply()).on(b"delete", answer)

    @JobQueue(fake.url).task("t")
    async def work() -> None: ...

    worker = Worker(url=f"{fake.url}?timeout=0.3")
    with fake, working(with_timings(worker, longest_reconnect_pause=0.01)):
        eventually_true(lambda: "may run twice" in caplog.text)
        eventually_true(lambda: fake.received.count(b"watch t\r\n") == 2)


def test_reply_in_pieces(socket_folder: Path) -> None:
    """A reply of any size is waited for until it is whole."""
    body = b'{"func_name": "work", "tube": "t", "kwargs": {"text": "%b"}}'
    body %= b"x" * 40_000
    reply = b"RESERVED 9 %d\r\n%b\r\n" % (len(body), body)
    ran: list[int] = []

    class InPieces(FakeBroker):
        def _converse(self, connection: object) -> None:
            super()._converse(_Slowly(connection))  # type: ignore[arg-type]

    fake = InPieces(socket_folder / "s")
    fake.on(b"reserve-with-timeout", reply, SILENCE)
    fake.on(b"stats-job", stats_reply()).on(b"delete", b"DELETED\r\n")

    @JobQueue(fake.url).task("t")
    async def work(text: str) -> None:
        ran.append(len(text))

    with fake, working(Worker()):
        eventually(lambda: ran, [40_000])
        eventually_true(lambda: b"delete 9\r\n" in fake.received)


class _Slowly:
    """A connection that sends each reply in pieces."""

    def __init__(self, connection: object) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def sendall(self, data: bytes) -> None:
        step = max(1, len(data) // 10)
        for start in range(0, len(data), step):
            self._connection.sendall(data[start : start + step])  # type: ignore[attr-defined]
            time.sleep(0.005)


def test_loop_is_closed(broker: Beanstalkd, queue: JobQueue) -> None:
    """The jobs on it have failed; the slots go on, each in a thread."""
    ran: list[int] = []

    @queue.task("t")
    async def closes() -> None:
        await close_own_loop()

    @queue.task("t")
    async def work() -> None:
        ran.append(1)

    with working(Worker(threads=4)):
        eventually(lambda: broker.waiting("t"), 4)
        eventually(slot_threads, 0)
        closes.put()
        eventually(lambda: broker.counts("t"), {"buried": 1})
        eventually(slot_threads, 4)
        work.put_many([{}] * 8)
        eventually(lambda: len(ran), 8)
        eventually(lambda: broker.counts("t"), {"buried": 1})


def test_no_more_threads(
    broker: Beanstalkd, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that has failed waits for one; the others go on meanwhile."""
    monkeypatch.setattr(loop_slot, "_THREAD_PAUSE", 0.05)
    ran: list[int] = []

    @queue.task("t")
    async def fails() -> None:
        raise ValueError

    @queue.task("t")
    async def work() -> None:
        ran.append(1)

    # Until then each job takes a thread, to be checked for a crash loop.
    worker = with_timings(Worker(threads=2), wary_for=0, wary_without_proof_for=0)
    with working(worker):
        work.put_many([{}] * 20)
        eventually(lambda: len(ran), 20)
        eventually(slot_threads, 0)
        with refusing_threads(THREAD_NAME) as refused:
            fails.put()
            eventually_true(lambda: refused)
            work.put()
            eventually(lambda: len(ran), 21)
            assert broker.counts("t") == {"reserved": 1}
        eventually(lambda: broker.counts("t"), {"buried": 1})


def test_stop_without_threads(broker: Beanstalkd, queue: JobQueue) -> None:
    """No idle slot needs one to end."""

    @queue.task("t")
    async def work() -> None: ...

    worker = Worker(threads=3)
    thread = threading.Thread(target=worker.run)
    thread.start()
    eventually(lambda: broker.waiting("t"), 3)
    eventually(slot_threads, 0)
    with refusing_threads(THREAD_NAME) as refused:
        worker.stop()
        thread.join(20)
    assert not thread.is_alive()
    assert not refused


def test_fault_of_a_slot(
    broker: Beanstalkd, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the worker, as elsewhere, and the error is raised."""

    @queue.task("t")
    async def work() -> None: ...

    def break_(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Executor, "end", break_)
    work.put()
    with pytest.raises(ZeroDivisionError):
        Worker().run()
    eventually(lambda: broker.counts("t"), {"ready": 1})


def test_fork(
    broker: Beanstalkd,
    queue: JobQueue,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The child holds no job while it runs on, and takes none; the parent goes on."""

    @queue.task("t")
    async def forks() -> None:
        if os.fork():
            (tmp_path / "parent").write_text("")
            return
        while not (tmp_path / "go").exists():
            time.sleep(0.02)  # noqa: ASYNC251 - the child's copy of the loop is blocked
        (tmp_path / "child").write_text("")

    @queue.task("t")
    async def work(n: int) -> None:
        (tmp_path / str(n)).write_text(str(os.getpid()))

    with working(Worker(threads=3)):
        eventually(lambda: broker.waiting("t"), 3)
        forks.put()
        eventually_true((tmp_path / "parent").exists)
        eventually(lambda: broker.counts("t"), {})
        eventually(lambda: broker.waiting("t"), 3)
        work.put_many({"n": n} for n in range(20))
        eventually(lambda: broker.counts("t"), {})
        (tmp_path / "go").touch()
        eventually_true((tmp_path / "child").exists)
    written = {(tmp_path / str(n)).read_text() for n in range(20)}
    assert written == {str(os.getpid())}
    assert caplog.text == ""  # no connection was lost


APP = """
import asyncio
import os
from jobqueue import JobQueue

queue = JobQueue()


@queue.task("t")
async def tick():
    while True:
        with open("ticks", "a") as file:
            file.write(".")
        await asyncio.sleep(0.02)


@queue.task("t")
async def wait():
    while not os.path.exists("go"):
        await asyncio.sleep(0.02)
    open("gone", "w").close()


@queue.task("t")
async def work():
    ...
"""


def is_held_up(broker: Beanstalkd) -> bool:
    """Return whether jobs wait, and none of them is taken for a while."""
    before = broker.counts("t")
    time.sleep(0.3)
    return "ready" in before and broker.counts("t") == before


def goes_on(ticks: Path) -> None:
    """Wait until a job has ticked some more times."""
    size = ticks.stat().st_size
    eventually_true(lambda: ticks.stat().st_size > size + 20)


def test_log_that_nobody_reads(broker: Beanstalkd, tmp_path: Path) -> None:
    """It holds up the slots whose jobs have ended, and no job that still runs.

    Not even when the broker is lost, which the log has to say.
    """
    write_module(tmp_path, "app", APP)
    os.mkfifo(tmp_path / "log")
    log = os.open(tmp_path / "log", os.O_RDWR)
    try:
        with WorkerProcess(
            tmp_path,
            *("--tube", "t", "--import", "app", "--threads", "4"),
            wrapped_in=["sh", "-c", 'exec "$@" 2>log', "sh"],
            BEANSTALKD_URL=broker.url,
        ):
            for name in (b"tick", b"wait"):
                broker.put(b'{"func_name": "%b", "tube": "t", "kwargs": {}}' % name)
            for _ in range(3000):
                broker.put(b'{"func_name": "work", "tube": "t", "kwargs": {}}')
            eventually_true(lambda: is_held_up(broker))
            goes_on(tmp_path / "ticks")
            assert broker.counts("t")["ready"] > 0
            broker.kill()
            (tmp_path / "go").touch()
            eventually_true((tmp_path / "gone").exists)
            goes_on(tmp_path / "ticks")
    finally:
        os.close(log)


def test_blocked_loop(broker: Beanstalkd, queue: JobQueue) -> None:
    """No job is lost that comes meanwhile, and each runs once."""
    attempts: list[int] = []
    blocks = threading.Event()
    end = threading.Event()

    @queue.task("t", ttr=1)
    async def block() -> None:
        blocks.set()
        end.wait(20)

    @queue.task("t", ttr=1)
    async def work() -> None:
        attempts.append(current_job().attempt)

    with working(Worker(threads=30)):
        eventually(lambda: broker.waiting("t"), 30)
        block.put()
        assert blocks.wait(20)
        ids = [work.put() for _ in range(20)]
        eventually_true(lambda: broker.stats_job(ids[-1])["age"] >= 3)
        assert {broker.stats_job(job_id)["state"] for job_id in ids} == {"reserved"}
        assert attempts == []
        end.set()
        eventually(lambda: attempts, [1] * 20)
        eventually(lambda: broker.counts("t"), {})
        eventually(slot_threads, 0)
