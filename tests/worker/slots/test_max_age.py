"""max_age: a job that is too old when it would begin is deleted, and not in silence."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobqueue import BadJobError, JobQueue, OptionError, Worker, current_job
from jobqueue.broker.stats import JobStats
from jobqueue.job.body import decode
from jobqueue.testing import RanJob, run_jobs
from jobqueue.worker.metrics import WorkerMetrics
from jobqueue.worker.slots.reservation import Reservation
from tests.helpers.log_records import records
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.worker_thread import with_timings

BODY = '{"func_name":"work","tube":"t","kwargs":{"name":"other\'s"},"headers":%s}'


@pytest.fixture
def ages(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """Return a dict of the ages that jobs are to have, by their ids."""
    found: dict[int, int] = {}
    ask = Reservation.stats

    def stats(reservation: Reservation) -> JobStats | None:
        counts = ask(reservation)
        assert counts is not None
        return counts._replace(age=found.get(counts.id, counts.age))

    monkeypatch.setattr(Reservation, "stats", stats)
    return found


@contextmanager
def counting(broker: Beanstalkd) -> Iterator[list[int]]:
    """Yield a list that has the number of the block's stats-job commands at its end."""
    found: list[int] = []
    with broker.client() as client:
        before = client.stats()["cmd-stats-job"]
        yield found
        found.append(int(client.stats()["cmd-stats-job"]) - int(before))


def test_expired_job(
    broker: Beanstalkd,
    queue: JobQueue,
    ages: dict[int, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It does not run; a warning has its body, and a metric counts it."""
    ran: list[int] = []

    @queue.task("t", max_age=60)
    def work(n: int) -> None:
        ran.append(n)

    old, fresh = work.put_many([{"n": 1}, {"n": 2}])
    ages[old], ages[fresh] = 61, 60
    worker = Worker(["t"], burst=True)
    metrics = WorkerMetrics.of(worker)
    worker.run()

    assert ran == [2]
    assert broker.counts("t") == {}
    (record,) = records(caplog, old)
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"Job {old} expired and is deleted: work (tube t) is 61 s old, and its max_age "
        'is 60 s. Its body was: {"func_name":"work","tube":"t","kwargs":{"n":1}}'
    )
    assert (record.outcome, record.error) == ("expired", None)  # type: ignore[attr-defined]
    (jobs,) = (each for each in metrics.collect() if each.name == "jobqueue_jobs")
    counted = {each.labels["outcome"]: each.value for each in jobs.samples}
    assert (counted["done"], counted["expired"], counted["buried"]) == (1, 1, 0)
    assert queue.operator.failures("t") == []


def test_each_time_that_it_would_begin(
    broker: Beanstalkd, queue: JobQueue, ages: dict[int, int]
) -> None:
    """A job that is tried again may expire then."""
    runs: list[int] = []

    @queue.task("t", retries=5, max_age=60)
    def work() -> None:
        runs.append(1)
        ages[current_job().id] = len(runs) * 50
        raise OSError

    work.put()
    ran = run_jobs(broker.url, reraise=False)

    assert len(runs) == len(ran) == 2
    assert broker.counts("t") == {}


def test_kicked_job_never_expires(
    broker: Beanstalkd, queue: JobQueue, ages: dict[int, int]
) -> None:
    @queue.task("t", max_age=1)
    def work() -> None: ...

    job_id = work.put()
    ages[job_id] = 10**6
    with broker.client("t") as client:
        client.bury(client.reserve())
    queue.operator.kick(job_id)

    assert [job.id for job in run_jobs(broker.url)] == [job_id]


def carried(broker: Beanstalkd, job_id: int) -> Any:
    with broker.client() as client:
        return json.loads(client.peek(job_id).body).get("headers")


def test_what_a_job_carries(broker: Beanstalkd, queue: JobQueue) -> None:
    """A job says only what its worker can't know, and its delay is added."""

    @queue.task("t", max_age=timedelta(minutes=1))
    def work() -> None: ...

    @queue.task("t")
    def other() -> None: ...

    soon = datetime.now(UTC) + timedelta(seconds=1000)
    puts = {
        work.put(): None,
        work.options(max_age=60).put(): None,
        work.options(delay=9).put(): "69",
        work.options(max_age=0.5).put(): "1",
        work.options(max_age=None).put(): "none",
        work.options(max_age=None, delay=9).options(max_age=5).put(): "14",
        work.options(headers={"a": "b"}, max_age=9).put(): "9",
        other.put(): None,
        other.options(delay=9, max_age=None).put(): None,
        other.options(max_age=3).put_many([{}])[0]: "3",
    }

    for job_id, max_age in puts.items():
        found = carried(broker, job_id) or {}
        assert (job_id, found.pop("jobqueue-max-age", None)) == (job_id, max_age)
    at = carried(broker, other.options(at=soon, max_age=3).put())
    assert 990 < int(at["jobqueue-max-age"]) <= 1003


def test_job_counts_before_its_task(
    broker: Beanstalkd, queue: JobQueue, ages: dict[int, int]
) -> None:
    """Its task sees nothing of what the job carries."""
    seen: list[dict[str, str]] = []

    @queue.task("t", max_age=60)
    def work() -> None:
        seen.append(current_job().headers)

    ids = [
        work.options(max_age=max_age, headers={"a": str(max_age)}).put()
        for max_age in (50, 200, None)
    ]
    ages.update(dict.fromkeys(ids, 100))
    ran: list[RanJob] = run_jobs(broker.url)

    assert [job.id for job in ran] == ids[1:]
    assert seen == [{"a": "200"}, {"a": "None"}]


def test_last_one_expires(
    broker: Beanstalkd, queue: JobQueue, ages: dict[int, int]
) -> None:
    """To a test, it is neither a run nor an error."""

    @queue.task("t", max_age=60)
    def work() -> None: ...

    ages[work.put()] = 100

    assert run_jobs(broker.url) == []


def test_costs_others_no_question(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def plain() -> None: ...

    @queue.task("u", max_age=60)
    def limited() -> None: ...

    asked = {}
    for tube, task in (("t", plain), ("u", limited)):
        task.put_many({} for _ in range(20))
        with counting(broker) as questions:
            worker = Worker([tube], burst=True)
            with_timings(worker, wary_for=-1, wary_without_proof_for=-1).run()
        asked[tube] = questions[-1]

    assert asked == {"t": 1, "u": 20}


@pytest.mark.thorough
def test_ages_of_the_broker(broker: Beanstalkd, queue: JobQueue) -> None:
    """The broker's clock counts: for a task, a put, and a job of another program."""
    ran: list[str] = []

    @queue.task("t", max_age=1)
    def work(name: str) -> None:
        ran.append(name)

    work.put("task's")
    work.options(max_age=1000).put("put's")
    for headers in ('{"jobqueue-max-age":"0"}', '{"jobqueue-max-age":"1000"}'):
        broker.put((BODY % headers).encode(), priority=65536)
    eventually_true(lambda: int(broker.stats_job(1)["age"]) >= 2)
    run_jobs(broker.url)

    assert sorted(ran) == ["other's", "put's"]


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        (
            '{"jobqueue-max-age":60}',
            '"jobqueue-max-age" has to be a string with a whol',
        ),
        ('{"jobqueue-max-age":"-1"}', '"jobqueue-max-age" has to be a string with a w'),
        ('{"jobqueue-max-age":"1.5"}', '"jobqueue-max-age" has to be a string with a '),
        ('{"jobqueue-new":"1"}', 'begins with "jobqueue-" is none that this worker kn'),
        ('{"jobqueue-max-age":"1","JobQueue-new":""}', "none that this worker knows"),
    ],
)
def test_bad_headers(headers: str, problem: str) -> None:
    with pytest.raises(BadJobError, match=problem):
        decode((BODY % headers).encode())


@pytest.mark.parametrize("max_age", [0, -1, "x", 2**33, float("nan")])
def test_bad_values(queue: JobQueue, max_age: Any) -> None:
    with pytest.raises(OptionError, match=r"^max_age has to be"):
        queue.task("t", max_age=max_age)
