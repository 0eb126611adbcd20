"""Retries, kicks and burial by a real worker on a real broker."""

import logging
import math
import time
from itertools import pairwise

import pytest

from jobqueue import Bury, JobQueue, Retry, Worker, current_job
from tests.helpers.servers import Beanstalkd, eventually_true

PRIORITY = 77
COUNTS = ("state", "pri", "delay", "reserves", "releases", "buries", "kicks")


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def counts(broker: Beanstalkd, job_id: int) -> tuple[object, ...]:
    stats = dict(broker.stats_job(job_id))
    return tuple(stats[name] for name in COUNTS)


def body(broker: Beanstalkd, job_id: int) -> bytes:
    with broker.client("t") as client:
        found = client.peek(job_id).body
    assert isinstance(found, bytes)
    return found


def work_off(broker: Beanstalkd, rounds: int = 1) -> None:
    """Run a worker until no job is ready, and again after that many delays."""
    for _ in range(rounds):
        eventually_true(lambda: broker.counts("t").get("ready"))
        Worker(burst=True).run()


def kick(broker: Beanstalkd, job_id: int) -> None:
    with broker.client("t") as client:
        client.kick_job(job_id)


def test_success_at_the_third_attempt(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """The attempts are made after the delays of the task."""
    ran: list[float] = []

    @queue.task("t", retries=5, backoff=[1, 2], priority=PRIORITY)
    def work(a: str) -> None:
        ran.append(time.monotonic())
        if len(ran) < 3:
            raise OSError(f"no {a}")

    job_id = work.put(a="ü")
    before = body(broker, job_id)
    work_off(broker)
    assert counts(broker, job_id) == ("delayed", PRIORITY, 1, 1, 1, 0, 0)
    work_off(broker)
    assert counts(broker, job_id) == ("delayed", PRIORITY, 2, 2, 2, 0, 0)
    assert body(broker, job_id) == before
    work_off(broker)

    assert broker.counts("t") == {}
    assert len(ran) == 3
    pauses = [math.floor(b - a + 0.01) for a, b in pairwise(ran)]
    assert pauses >= [1, 2]
    first, second, done = [
        record for record in caplog.records if hasattr(record, "job_id")
    ]
    assert first.getMessage().startswith(
        f"Job {job_id} released after attempt 1 of 6, retry 1 of 5 in 1 s: "
        "work (tube t) after 0."
    )
    assert "released after attempt 2 of 6, retry 2 of 5 in 2 s" in second.getMessage()
    assert second.getMessage().endswith("OSError: no ü")
    assert second.levelno == logging.WARNING
    assert second.exc_info
    assert (second.__dict__["attempt"], second.__dict__["func_name"]) == (2, "work")
    assert (second.__dict__["outcome"], second.__dict__["error"]) == (
        "released",
        "OSError",
    )
    assert (done.__dict__["outcome"], done.__dict__["error"]) == ("done", None)
    assert "done" in done.getMessage()


def test_kicks_and_retries(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """Each kick grants a failing job its retries anew; in the end it is deleted."""
    ran = []

    @queue.task("t", retries=2, backoff=0, priority=PRIORITY)
    def work(secret: str) -> None:
        ran.append(secret)
        raise ValueError

    job_id = work.put(secret="ü")
    before = body(broker, job_id)
    for kicks in range(3):
        work_off(broker)
        assert counts(broker, job_id) == (
            "buried",
            PRIORITY,
            0,
            3 * kicks + 3,
            2 * kicks + 2,
            kicks + 1,
            kicks,
        )
        assert body(broker, job_id) == before
        assert f"Job {job_id} buried after attempt {len(ran)} of {len(ran)}: " in (
            caplog.text
        )
        assert "ü" not in caplog.text
        kick(broker, job_id)
    work_off(broker)

    assert ran == ["ü"] * 12
    assert broker.counts("t") == {}
    assert f"Kicks reach max (3): job {job_id} is deleted: work (tube t)" in caplog.text
    assert 'Its body was: {"func_name":"work","tube":"t","kwargs":{"secret":"ü"}}' in (
        caplog.text
    )


def test_retry_and_bury(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """A task decides by raising."""
    verdicts = [Retry("busy", delay=1), Retry(), Bury("no such order")]

    @queue.task("t", retries=5, retry_on=(), backoff=0)
    def work() -> None:
        raise verdicts.pop(0)

    job_id = work.put()
    work_off(broker)
    assert counts(broker, job_id)[:3] == ("delayed", 65536, 1)
    work_off(broker)

    assert counts(broker, job_id) == ("buried", 65536, 0, 3, 2, 1, 0)
    assert "retry 1 of 5 in 1 s: work (tube t)" in caplog.text
    assert "Retry: busy" in caplog.text
    assert "Bury: no such order" in caplog.text


def test_retry_on(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """Any other error buries the job at once."""

    @queue.task("t", retries=5, retry_on=OSError)
    def work() -> None:
        raise ValueError

    job_id = work.put()
    work_off(broker)

    assert counts(broker, job_id) == ("buried", 65536, 0, 1, 0, 1, 0)
    assert f"Job {job_id} buried after attempt 1 of 6: work" in caplog.text


@pytest.mark.parametrize("answer", [None, -1, "soon", math.nan])
def test_failing_backoff(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    answer: float | None,
) -> None:
    """The job is buried, with both errors in the log."""

    def backoff(retry: int) -> float:
        assert retry == 1
        if answer is None:
            raise ZeroDivisionError
        return answer

    @queue.task("t", retries=5, backoff=backoff)
    def work() -> None:
        raise KeyError("the task's own")

    job_id = work.put()
    work_off(broker)

    assert counts(broker, job_id)[0] == "buried"
    assert "the task's own" in caplog.text
    expected = "ZeroDivisionError" if answer is None else "what backoff returns has to"
    assert expected in caplog.text


def test_arguments_in_the_log(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """At level debug only."""
    caplog.set_level(logging.DEBUG)

    @queue.task("t")
    def work(secret: str) -> None:
        raise ValueError(len(secret))

    work.put(secret="xyzzy")
    work_off(broker)

    found = [r.levelno for r in caplog.records if "xyzzy" in r.getMessage()]
    assert found == [logging.DEBUG]


def test_policy_of_the_queue(broker: Beanstalkd) -> None:
    with JobQueue(broker.url, retries=1, backoff=0) as queue:

        @queue.task("t")
        def twice() -> None:
            raise ValueError

        @queue.task("t", retries=0)
        def once() -> None:
            raise ValueError

        ids = [twice.put(), once.put()]
        work_off(broker)

    assert [broker.stats_job(job_id)["reserves"] for job_id in ids] == [2, 1]


def test_retries_left(broker: Beanstalkd, queue: JobQueue) -> None:
    """A job can see whether a failure would be final; a kick grants it more."""
    left = []

    @queue.task("t", retries=2, backoff=0)
    def work() -> None:
        left.append(current_job().retries_left)
        raise ValueError

    job_id = work.put()
    Worker(burst=True).run()
    kick(broker, job_id)
    Worker(burst=True).run()

    assert left == [2, 1, 0, 2, 1, 0]


def test_no_retries_left_in_the_last_run(broker: Beanstalkd, queue: JobQueue) -> None:
    """A job that is buried while it runs is not tried again."""
    left = []

    @queue.task("t", retries=1, max_lost=2)
    def work() -> None:
        left.append(current_job().retries_left)

    work.put()
    for _ in range(2):
        with broker.client("t") as lost:
            lost.reserve(5)
    Worker(burst=True).run()

    assert left == [0]
