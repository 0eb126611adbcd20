"""Reading the notes of failures: whole, beside other readers, and with no trace."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from jobqueue import (
    IncompleteSearchError,
    JobQueue,
    Operator,
    OptionError,
    TubeNameError,
    Worker,
)
from jobqueue.job.note_tubes import failures_tube, retries_tube
from jobqueue.operating import notes as notes_room
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually
from tests.helpers.terminal import put, put_buried

LONG = "x" * 200  # with the beginning of a tube of notes, this is too long for a name


@pytest.fixture
def operator(broker: Beanstalkd) -> Iterator[Operator]:
    with Operator(broker.url) as operator:
        yield operator


def test_leaves_no_trace(operator: Operator, broker: Beanstalkd) -> None:
    ids = [put_note(broker, n, ago=n) for n in range(1, 6)]
    broker.put(b"no note", failures_tube("t"))

    assert [note.job_id for note in operator.failures()] == [5, 4, 3, 2, 1]
    eventually(lambda: broker.counts(failures_tube("t")), {"ready": 6})
    assert [broker.stats_job(note_id)["releases"] for note_id in ids] == [0] * 5
    assert operator.failures("other") == []
    assert broker.counts(failures_tube("other")) == {}
    assert [tube.tube for tube in operator.tubes()] == ["default"]


@pytest.mark.parametrize("tube", ["t", LONG])
def test_tubes(operator: Operator, broker: Beanstalkd, tube: str) -> None:
    """Notes are counted apart from jobs, by the tube that they are about."""
    (job_id,) = put(broker, 1, tube)
    put_note(broker, job_id, tube=tube)
    put_note(broker, job_id, tube=tube, kind="retried")
    put_note(broker, 77, tube="gone")

    (counts,) = operator.tubes(tube)
    server = operator.server()

    assert (counts.ready, counts.failures_noted, counts.failures) == (1, 1, 2)
    assert (server.ready, server.jobs, server.failures_noted) == (1, 1, 2)
    assert {note.tube for note in operator.failures()} == {tube, "gone"}
    assert len(operator.failures(tube)) == 2
    assert [name.tube for name in operator.tubes()] == ["default", tube]


def test_is_no_tube_of_jobs(operator: Operator, broker: Beanstalkd) -> None:
    put_note(broker, 1)
    for name in (failures_tube("t"), retries_tube("t")):
        for ask in (operator.tube, operator.jobs, operator.kick_all, operator.clear):
            with pytest.raises(TubeNameError, match="holds notes of failures"):
                ask(name)
        with pytest.raises(TubeNameError):
            operator.pause(name, 1)


def test_readers_at_the_same_time(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them sees all notes."""
    monkeypatch.setattr(notes_room, "_PATIENCE", DEADLINE)
    for n in range(1, 201):
        put_note(broker, n)
    counts: list[int] = []
    start = threading.Barrier(3)

    def read() -> None:
        with Operator(broker.url) as operator:
            start.wait()
            counts.extend(len(operator.failures("t")) for _ in range(2))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [200] * 6


def test_note_that_is_held(
    operator: Operator, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another reader has all the time is said to be missing."""
    monkeypatch.setattr(notes_room, "_PATIENCE", 0.05)
    put(broker)
    held = put_note(broker, 1, ago=9)
    put_note(broker, 2)
    with broker.client(failures_tube("t")) as client:
        client.reserve_job(held)

        notes = operator.notes("t")

        with pytest.raises(IncompleteSearchError, match="1 notes of failures"):
            list(operator.jobs("t", error="ValueError"))

    assert [note.job_id for _, note in notes.noted] == [2]
    assert notes.missing == 1


def test_filters(operator: Operator, broker: Beanstalkd) -> None:
    put_note(broker, 1, error="Timeout", ago=7200)
    put_note(broker, 2, error="Timeout", ago=60)
    put_note(broker, 3, error="net.Timeout", func_name="f")
    put_note(broker, 4, error="NetTimeout", func_name=None)
    hour = datetime.now(UTC) - timedelta(hours=1)

    def ids(
        func_name: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
    ) -> list[int]:
        found = operator.failures(func_name=func_name, error=error, since=since)
        return [note.job_id for note in found]

    assert ids(error="Timeout") == [1, 2, 3]
    assert ids(error="shop.Timeout") == [1, 2]
    assert ids(since=hour) == [2, 3, 4]
    assert ids("send", "Timeout", hour) == [2]
    with pytest.raises(OptionError, match="a datetime with a timezone"):
        ids(since=datetime(2026, 1, 1))  # noqa: DTZ001


def test_groups(operator: Operator, broker: Beanstalkd) -> None:
    """A job counts as buried where it failed last, and only while it is buried."""
    buried = put_buried(broker, 3)
    (ready,) = put(broker)
    for job_id in (*buried, ready):
        put_note(broker, job_id, ago=50)
    put_note(broker, buried[0], error="Timeout", ago=9, text="slow")
    put_note(broker, buried[0], error="Timeout", ago=20, kind="retried")
    put_note(broker, 99, func_name=None, error="BadJobError", kind="deleted")
    put_note(broker, buried[1], tube="u", error="Forged")

    groups = operator.failure_groups()

    assert [(g.tube, g.func_name, g.error, g.failed, g.retries) for g in groups] == [
        ("t", "send", "ValueError", 4, 0),
        ("t", "send", "Timeout", 1, 1),
        ("t", None, "BadJobError", 1, 0),
        ("u", "send", "Forged", 1, 0),
    ]
    assert [group.buried for group in groups] == [1, 1, 0, 0]
    assert groups[1].first < groups[1].last
    assert (groups[1].last_job, groups[1].last_text) == (buried[0], "slow")
    failure = operator.failure(buried[0])
    assert failure is not None
    assert failure.error == "Timeout"
    assert operator.failure(ready + 500) is None


def test_jobs_by_failure(operator: Operator, broker: Beanstalkd) -> None:
    """No other job is looked at, and the last failure decides."""
    first, second, other = put_buried(broker, 3)
    (ready,) = put(broker)
    for job_id in (first, second, ready):
        put_note(broker, job_id, error="Timeout", ago=50)
    put_note(broker, other)
    put_note(broker, second)

    def ids(*states: str) -> list[int]:
        return [job.id for job in operator.jobs("t", *states, error="Timeout")]

    assert ids("buried") == [first]
    assert ids() == [first, ready]


def test_stale_notes_are_deleted(operator: Operator, broker: Beanstalkd) -> None:
    """A kick or a delete deletes the notes of its jobs, and no others."""
    ids = put_buried(broker, 6)
    for job_id in ids:
        put_note(broker, job_id)
        put_note(broker, job_id, kind="retried")

    def noted() -> list[int]:
        return sorted({note.job_id for note in operator.failures()})

    operator.kick(ids[0], 99)
    assert noted() == ids[1:]
    operator.delete(ids[1])
    assert noted() == ids[2:]
    operator.kick_all("t", count=1)
    assert noted() == ids[3:]
    operator.kick_all("t")
    assert noted() == []


def test_job_that_fails_again_at_once(operator: Operator, broker: Beanstalkd) -> None:
    """Only the notes from before its kick are deleted."""

    @JobQueue(broker.url).task("t")
    def send(n: int) -> None:
        raise ValueError(n)

    send.put(1)
    worker = Worker(url=broker.url)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        for attempt in (1, 2, 3):
            eventually(lambda: broker.counts("t"), {"buried": 1})
            noted = [note.attempt for note in operator.failures("t")]
            assert noted == [attempt]
            assert operator.kick(1) == [1]
    finally:
        worker.stop()
        thread.join()


def test_put_failed(operator: Operator, broker: Beanstalkd) -> None:
    body = b'{"func_name":"send","tube":"t","kwargs":{"n":"\\u00e9"}}'
    put_note(broker, 5, kind="deleted", body=body)
    put_note(broker, 6)

    new_id = operator.put_failed(5)

    assert new_id is not None
    job = operator.job(new_id)
    assert job is not None
    assert (job.body, job.tube) == (body, "t")
    assert operator.put_failed(5) is None
    assert operator.put_failed(6) is None
