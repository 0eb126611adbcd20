"""The life of a job in a slot, as its events tell it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobqueue import JobQueue, Worker
from jobqueue.broker.wire import BrokerSocket
from jobqueue.job.decision import Decision, Ending
from jobqueue.worker.reporting.counters import SIZE, CountTable
from jobqueue.worker.reporting.reporter import Listener
from jobqueue.worker.running.executor import ReservedJob, Result
from tests.helpers.fake_broker import (
    HANG_UP,
    NOT_FOUND,
    RESERVED,
    SILENCE,
    Answer,
    FakeBroker,
    stats_reply,
)
from tests.helpers.servers import eventually_true
from tests.helpers.worker_thread import with_timings, working


class Events(Listener):
    """Keeps how jobs have ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, Ending | None, bool]] = []
        self.errors: list[BaseException] = []

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        self.ended.append((job.id, decision.ending, result.has_run))
        if result.error is not None:
            self.errors.append(result.error)


@pytest.fixture
def fake(socket_folder: Path) -> Iterator[FakeBroker]:
    """Return a fake broker that hands out job 9, which runs ``work``."""
    with FakeBroker(socket_folder / "s") as fake:
        yield fake.on(b"reserve-with-timeout", RESERVED, SILENCE)


class Work:
    """A worker whose task notes its runs, and what is told of it."""

    def __init__(
        self, url: str, *, fails: bool = False, max_jobs: int | None = None
    ) -> None:
        self.ran: list[str] = []
        self.events = Events()
        self.memory = bytearray(SIZE)

        @JobQueue(url).task("t")
        def work() -> None:
            self.ran.append("work")
            if fails:
                raise ValueError

        worker = Worker(url=url, max_jobs=max_jobs, failures_kept=0)
        self.worker = with_timings(worker, longest_reconnect_pause=0.01)
        self.worker.manager.reporter.add(self.events)
        self.worker.manager.count_in(self.memory)

    def counts(self) -> float:
        """Return how many jobs were counted, whatever their ending."""
        rows = CountTable(self.memory).rows()
        return sum(sum(row[: len(Ending)]) for key, row in rows if len(key) > 1)


def test_broker_lost_in_admission(
    fake: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that was not admitted did not fail, and counts for nothing."""
    fake.on(b"reserve-with-timeout", RESERVED, RESERVED, SILENCE)
    fake.on(b"stats-job", HANG_UP, stats_reply(reserves=2))
    fake.on(b"delete", b"DELETED\r\n")
    work = Work(fake.url, max_jobs=1)

    work.worker.run()  # ends, as one job has run

    assert work.ran == ["work"]
    assert work.events.ended == [(9, Ending.DONE, True)]
    assert work.counts() == 1
    assert "failed" not in caplog.text
    assert "Job 9" not in caplog.text.partition("Waiting for the broker")[0]


def test_job_that_has_gone_in_admission(
    fake: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """A reservation that is lost before the call is warned of, and not run."""
    fake.on(b"stats-job", NOT_FOUND)
    work = Work(fake.url)

    with working(work.worker):
        eventually_true(lambda: work.events.ended)

    assert work.ran == []
    assert work.events.ended == [(9, Ending.LOST, False)]
    assert work.counts() == 0
    assert "Job 9 did not run: it is not reserved for this worker" in caplog.text


UNKNOWN = RESERVED.replace(b"work", b"idle")
MISFIT = RESERVED.replace(b"{}", b'{"a":1}').replace(b" 43", b" 48")


@pytest.mark.parametrize("refused", [UNKNOWN, MISFIT], ids=["unknown", "misfit"])
def test_refused_job_counts_for_no_max_jobs(fake: FakeBroker, refused: bytes) -> None:
    """A job that can't be run is buried, and the worker goes on."""
    fake.on(b"reserve-with-timeout", refused, RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply())
    fake.on(b"bury", b"BURIED\r\n").on(b"delete", b"DELETED\r\n")
    work = Work(fake.url, max_jobs=1)

    work.worker.run()

    ended = [(9, Ending.BURIED, False), (9, Ending.DONE, True)]
    assert work.events.ended == ended
    assert work.ran == ["work"]


@pytest.mark.parametrize("reply", [NOT_FOUND, HANG_UP], ids=["lost", "broker lost"])
def test_job_that_is_lost_at_its_end(fake: FakeBroker, reply: bytes | Answer) -> None:
    """A verdict that does not reach the broker is told as a loss, once."""
    fake.on(b"stats-job", stats_reply())
    fake.on(b"delete", reply)
    work = Work(fake.url)

    with working(work.worker):
        eventually_true(lambda: work.events.ended)

    assert work.ran == ["work"]
    assert work.events.ended == [(9, Ending.LOST, True)]
    assert work.counts() == 1


def test_settle_asks_for_the_next_job_in_the_same_write(fake: FakeBroker) -> None:
    fake.on(b"stats-job", stats_reply()).on(b"delete", b"DELETED\r\n")
    work = Work(fake.url)

    with working(work.worker):
        eventually_true(lambda: work.events.ended)

    assert b"delete 9\r\nreserve-with-timeout 40\r\n" in fake.writes


class Broken(Listener):
    """A listener whose every method fails."""

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        raise SystemExit

    def keep_body(self, job: ReservedJob, result: Result, decision: Decision) -> bool:
        raise SystemExit


def test_listener_that_fails(
    fake: FakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of a listener is logged, and reaches neither job nor other listeners."""
    fake.on(b"stats-job", stats_reply()).on(b"delete", b"DELETED\r\n")
    work = Work(fake.url)
    work.worker.manager.reporter.listeners.insert(0, Broken())

    with working(work.worker):
        eventually_true(lambda: work.events.ended)

    assert work.events.ended == [(9, Ending.DONE, True)]
    assert "A line could not be logged (SystemExit): [9]" in caplog.text


def test_listener_that_blocks(fake: FakeBroker) -> None:
    """The events of a stop wait a second at most for a listener."""
    may_go_on = threading.Event()

    class Blocking(Listener):
        def worker_stopping(self, reason: str, running: object) -> None:
            may_go_on.wait(60)

    fake.on(b"stats-job", stats_reply()).on(b"delete", b"DELETED\r\n")
    work = Work(fake.url)
    work.worker.manager.reporter.add(Blocking())
    with working(work.worker):
        eventually_true(lambda: work.events.ended)

    assert not may_go_on.is_set()
    may_go_on.set()


@pytest.mark.parametrize("is_kept", [True, False])
def test_body_that_nobody_keeps(fake: FakeBroker, is_kept: bool) -> None:
    """A job is deleted for its kicks only if a listener has kept its body."""
    fake.on(b"stats-job", stats_reply(kicks=3))
    fake.on(b"delete", b"DELETED\r\n").on(b"bury", b"BURIED\r\n")
    work = Work(fake.url, fails=True)
    reporter = work.worker.manager.reporter
    if not is_kept:
        reporter.listeners[0] = Broken()

    with working(work.worker):
        eventually_true(lambda: work.events.ended)

    ending = Ending.KICKS_REACH_MAX if is_kept else Ending.BURIED
    assert work.events.ended == [(9, ending, True)]


BIG = b'{"func_name":"work","tube":"t","kwargs":{"x":"%b"}}' % (b"x" * 2**21)


@pytest.mark.parametrize("kicks", [0, 3], ids=["first", "kicked"])
def test_body_that_memory_does_not_hold(
    fake: FakeBroker, monkeypatch: pytest.MonkeyPatch, kicks: int
) -> None:
    """The job is buried, even after its last kick, and the next job runs."""
    receive = BrokerSocket.receive

    def receive_or_fail(sock: BrokerSocket, size: int, extra: float = 0) -> bytes:
        if size > 2**19:
            raise MemoryError
        return receive(sock, size, extra)

    monkeypatch.setattr(BrokerSocket, "receive", receive_or_fail)
    big = b"RESERVED 8 %d\r\n%b\r\n" % (len(BIG), BIG)
    fake.on(b"reserve-with-timeout", big, RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply(kicks=kicks))
    fake.on(b"delete", b"DELETED\r\n").on(b"bury", b"BURIED\r\n")
    work = Work(fake.url)

    with working(work.worker):
        eventually_true(lambda: len(work.events.ended) == 2)

    assert work.events.ended == [
        (8, Ending.BURIED, False),
        (9, Ending.DONE, True),
    ]
    (error,) = work.events.errors
    assert f"not enough memory for the body, of {len(BIG)} bytes" in str(error)
    assert b"delete 8\r\n" not in fake.received
