"""Notes of failures: put beside each verdict, kept few, and never in the way."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobqueue import Bury, JobQueue, JobStuckError, TubeNameError, Worker
from jobqueue.broker.settlement import SidePut, SidePutReply
from jobqueue.job.note import FailureNote
from jobqueue.job.note_tubes import failures_tube, retries_tube
from jobqueue.worker.slots.failure_notes import FailureNotes
from tests.helpers.fake_broker import (
    HANG_UP,
    RESERVED,
    SILENCE,
    FakeBroker,
    stats_reply,
)
from tests.helpers.notes import bodies_in, burials, notes_tubes, retries
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_thread import with_timings, working

WARNING = "A note of a failure"


def run(failures_kept: int = 1000) -> None:
    Worker(burst=True, failures_kept=failures_kept).run()


def brief(note: FailureNote) -> tuple[object, ...]:
    return note.kind, note.job_id, note.func_name, note.error, note.attempt


def test_a_burial(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None:
        raise ValueError("no\nway")

    began = time.time()
    job_id = work.put()
    run()

    (note,) = burials(broker)
    assert brief(note) == ("buried", job_id, "work", "ValueError", 1)
    assert (note.tube, note.kicks, note.body) == ("t", 0, None)
    assert note.error_text == "no\nway"
    assert note.traceback.startswith("Traceback (most recent call last):\n  File ")
    assert note.traceback.endswith('raise ValueError("no\\nway")\nValueError: no\nway')
    assert "jobqueue/worker" not in note.traceback
    assert began - 1 <= note.when.timestamp() <= time.time()
    with broker.client() as client:
        stats = client.stats_job(job_id + 1)
        assert stats["pri"] == int(note.when.timestamp())
    assert broker.counts("t") == {"buried": 1}


@pytest.mark.parametrize(
    ("max_kicks", "expected"),
    [(1, [True]), (2, [False, True]), (None, [False, False])],
)
def test_the_last_kick(
    broker: Beanstalkd, queue: JobQueue, max_kicks: int | None, expected: list[bool]
) -> None:
    """The note of the burial before it says so: the next failure deletes the job."""

    @queue.task("t", max_kicks=max_kicks)
    def work() -> None:
        raise ValueError

    job_id = work.put()
    for is_last in expected:
        run()
        assert burials(broker)[-1].last_kick is is_last
        assert queue.operator.kick(job_id) == [job_id]
    run()

    assert broker.counts("t") == ({} if expected[-1] else {"buried": 1})


def test_retries_have_a_tube_of_their_own(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t", retries=2, backoff=0)
    def work() -> None:
        raise OSError

    job_id = work.put()
    run()

    found = [brief(note) for note in retries(broker)]
    assert found == [("retried", job_id, "work", "OSError", n) for n in (1, 2)]
    assert [brief(n) for n in burials(broker)] == [
        ("buried", job_id, "work", "OSError", 3)
    ]


def test_a_deleted_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """Its note has the whole body."""

    @queue.task("t", max_kicks=0)
    def work(text: str) -> None:
        raise ValueError(text)

    job_id = work.put("ü" * 5000)
    run()

    (note,) = burials(broker)
    assert brief(note) == ("deleted", job_id, "work", "ValueError", 1)
    assert note.body
    assert note.body.decode().count("ü") == 5000
    assert broker.counts("t") == {}


def test_jobs_that_cannot_be_run(broker: Beanstalkd, queue: JobQueue) -> None:
    @JobQueue(broker.url, secret="0123456789abcdef").task("t")
    def signed() -> None: ...

    @queue.task("t")
    def work() -> None: ...

    bodies = (
        b"\xff",
        b'{"func_name":"nobody","tube":"t","kwargs":{}}',
        b'{"func_name":"signed","tube":"t","kwargs":{}}',
        b'{"func_name":"work","tube":"t","kwargs":{"a":1}}',
    )
    ids = [broker.put(body) for body in bodies]
    run()

    assert [brief(note)[1:4] for note in burials(broker)] == [
        (ids[0], None, "BadJobError"),
        (ids[1], "nobody", "BadJobError"),
        (ids[2], "signed", "SignatureError"),
        (ids[3], "work", "BadJobError"),
    ]
    assert {note.traceback for note in burials(broker)} == {""}


def lose(broker: Beanstalkd, times: int) -> None:
    for _ in range(times):
        with broker.client("t") as client:
            client.reserve(5)


def test_a_lost_job(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t", max_lost=1)
    def work() -> None: ...

    work.put()
    lose(broker, 1)
    run()

    (note,) = burials(broker)
    assert (note.error, note.traceback, note.attempt) == ("CrashLoopError", "", 2)


@pytest.mark.parametrize("succeeds", [True, False])
def test_the_last_run(broker: Beanstalkd, queue: JobQueue, *, succeeds: bool) -> None:
    """It is noted before it, and then by how it ends."""
    seen: list[list[FailureNote]] = []

    @queue.task("t")
    def work() -> None:
        seen.append(burials(broker))
        if not succeeds:
            raise KeyError("k")

    work.put()
    lose(broker, 2)
    run()

    assert [[note.error for note in notes] for notes in seen] == [["CrashLoopError"]]
    found = [(note.error, note.error_text) for note in burials(broker)]
    assert found == ([] if succeeds else [("KeyError", "'k'")])


def test_a_stuck_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """Its note says where it is stuck."""

    @queue.task("t", time_limit=0.01)
    def work() -> None:
        time.sleep(0.7)

    work.put()
    with pytest.raises(JobStuckError):
        with_timings(Worker(), time_limit_grace=0.1).run()

    (note,) = burials(broker)
    assert note.error == "TimeLimitExceeded"
    assert "time.sleep(0.7)" in note.traceback


def test_a_storm(broker: Beanstalkd, queue: JobQueue) -> None:
    """The newest notes of burials are kept, however many retries there are."""

    @queue.task("t", retries=5, backoff=0)
    def work(*, is_final: bool) -> None:
        raise Bury if is_final else ValueError

    first = work.put_many({"is_final": True} for _ in range(90))
    last = work.options(priority=2**17).put_many({"is_final": False} for _ in range(30))
    run(failures_kept=40)

    notes = burials(broker)
    assert [note.error for note in notes] == ["Bury"] * 10 + ["ValueError"] * 30
    assert [note.job_id for note in notes] == first[-10:] + last
    assert [note.error for note in retries(broker)] == ["ValueError"] * 40


def test_two_workers(broker: Beanstalkd, queue: JobQueue) -> None:
    """Together they delete what is too much, and no more."""

    @queue.task("t")
    def work() -> None:
        raise ValueError

    with working(Worker(failures_kept=30)), working(Worker(failures_kept=30)):
        ids = work.put_many({} for _ in range(200))
        eventually(lambda: broker.counts("t"), {"buried": 200})
        eventually(lambda: broker.counts(failures_tube("t")), {"ready": 30})

    assert {note.job_id for note in burials(broker)} <= set(ids[150:])


def test_fewer_notes_than_before(broker: Beanstalkd, queue: JobQueue) -> None:
    """A worker's first note finds the tube that earlier workers have filled."""

    @queue.task("t")
    def work() -> None:
        raise ValueError

    ids = work.put_many({} for _ in range(10))
    run()
    ids.append(work.put())
    run(failures_kept=2)

    assert [note.job_id for note in burials(broker)] == ids[-2:]


def test_no_notes(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t", retries=1, backoff=0)
    def work() -> None:
        raise ValueError

    work.put()
    run(failures_kept=0)

    assert notes_tubes(broker) == []
    assert broker.counts("t") == {"buried": 1}


def test_draining(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that takes no notes buries the jobs; that is said once."""

    @queue.task("t")
    def work() -> None:
        raise ValueError

    work.put_many({} for _ in range(3))
    broker.drain()
    run()

    (said,) = [r for r in caplog.records if WARNING in r.getMessage()]
    assert said.levelno == logging.WARNING
    assert "the broker is draining" in said.getMessage()
    assert broker.counts("t") == {"buried": 3}
    assert burials(broker) == []


@pytest.mark.parametrize("limit", [300, 1000])
def test_too_large(
    socket_folder: Path, caplog: pytest.LogCaptureFixture, limit: int
) -> None:
    """A note that is too large goes without the body of its job, or not at all."""
    with Beanstalkd(socket_folder / "b", "-z", str(limit)) as broker:

        @JobQueue(broker.url).task("t", max_kicks=0)
        def work(text: str) -> None:
            raise ValueError(len(text))

        work.put("x" * (limit - 100))
        run()

        found = [(note.kind, note.body) for note in burials(broker)]
        assert found == ([] if limit == 300 else [("deleted", None)])
        assert (WARNING in caplog.text) == (limit == 300)
        assert broker.counts("t") == {}


@pytest.fixture
def fake(socket_folder: Path) -> Iterator[FakeBroker]:
    with FakeBroker(socket_folder / "s") as fake:
        fake.on(b"reserve-with-timeout", RESERVED, SILENCE)
        fake.on(b"touch", b"TOUCHED\r\n")  # if the machine is slow
        yield fake.on(b"stats-job", stats_reply())


def test_no_reply_to_a_note(fake: FakeBroker, caplog: pytest.LogCaptureFixture) -> None:
    """A broker that is lost after the verdict has settled the job."""
    fake.on(b"bury", b"BURIED\r\n").on(b"put", HANG_UP)

    @JobQueue(fake.url).task("t")
    def work() -> None:
        raise ValueError

    with working(Worker()):
        eventually(lambda: "Waiting for the broker" in caplog.text, expected=True)

    assert "Job 9 buried after attempt 1 of 1" in caplog.text
    assert "was lost" in caplog.text
    assert "may run twice" not in caplog.text


def test_a_verdict_that_came_too_late(
    broker: Beanstalkd, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note of what has not happened is deleted."""
    replies = []
    answered = FailureNotes.answered

    def too_late(notes: FailureNotes, note: SidePut, reply: SidePutReply) -> None:
        replies.append(reply)
        answered(notes, note, reply._replace(is_settled=False))

    monkeypatch.setattr(FailureNotes, "answered", too_late)

    @queue.task("t")
    def work() -> None:
        raise ValueError

    work.put()
    run()

    assert [bool(reply.put_id) for reply in replies] == [True]
    assert burials(broker) == []


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise SystemExit

    def __repr__(self) -> str:
        raise SystemExit


def test_an_error_without_words(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None:
        raise UnspeakableError

    work.put()
    run()

    (note,) = burials(broker)
    assert (note.error, note.error_text) == (
        "UnspeakableError",
        "(its text can't be shown)",
    )


def test_a_note_is_no_job(broker: Beanstalkd, queue: JobQueue) -> None:
    """What is in a tube of notes is never run, and never stands in a worker's way."""
    ran = []

    @queue.task("t")
    def work() -> None:
        ran.append(1)
        raise ValueError

    junk = [b"\xff", b'{"func_name":"work","tube":"t","kwargs":{}}']
    for body in junk:
        broker.put(body, tube=failures_tube("t"))
    work.put()
    run()

    assert ran == [1]
    assert bodies_in(broker, failures_tube("t"))[:2] == junk
    assert len(burials(broker)) == 1


@pytest.mark.parametrize("tube", [failures_tube("t"), retries_tube("t")])
def test_no_task_in_a_tube_of_notes(queue: JobQueue, tube: str) -> None:
    with pytest.raises(TubeNameError, match="no tube for jobs"):

        @queue.task(tube)
        def work() -> None: ...


def test_many_slots(broker: Beanstalkd, queue: JobQueue) -> None:
    """Each slot puts notes into the tubes of all of its jobs."""
    tubes = ["t", "u", "v"]
    tasks = []
    for tube in tubes:

        @queue.task(tube)
        def work() -> None:
            raise ValueError

        tasks.append(work)
    with ExitStack() as stack:
        for _ in range(7):
            for task in tasks:
                task.put()
        stack.enter_context(working(Worker(threads=3)))
        for tube in tubes:
            eventually(lambda: len(burials(broker, tube)), 7)  # noqa: B023
