"""The endings of a job: a real worker in a thread, on a real broker."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import greenstalk
import pytest

from jobqueue import (
    Bury,
    JobQueue,
    Worker,
)
from tests.helpers.fake_broker import (
    HANG_UP,
    NOT_FOUND,
    RESERVED,
    SILENCE,
    FakeBroker,
    stats_reply,
)
from tests.helpers.log_records import records
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.worker_thread import working


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_done_job_is_deleted(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    ran = []

    @queue.task("t")
    def work(a: int) -> None:
        ran.append(a)

    job_id = work.put(a=1)
    Worker(burst=True).run()

    assert ran == [1]
    with pytest.raises(greenstalk.NotFoundError):
        broker.stats_job(job_id)
    (record,) = records(caplog, job_id)
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith(f"Job {job_id} done: work (tube t) in 0.")
    extra = record.__dict__
    assert (extra["tube"], extra["func_name"]) == ("t", "work")
    assert 0 <= extra["seconds"] < 10


@pytest.mark.parametrize(
    "error", [ValueError("bad"), SystemExit(0), KeyboardInterrupt(), Bury("why")]
)
def test_failed_job_is_buried(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
) -> None:
    """With its body and priority unchanged, and with a traceback in the log."""

    @queue.task("t")
    def work() -> None:
        raise error

    body = b'{"func_name": "work", "tube": "t", "kwargs": {}}'
    job_id = broker.put(body)
    Worker(burst=True).run()

    stats = broker.stats_job(job_id)
    assert (stats["state"], stats["pri"], stats["buries"]) == ("buried", 77, 1)
    with broker.client("t") as client:
        assert client.peek(job_id).body == body
    (record,) = records(caplog, job_id)
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert record.exc_info[1] is error
    assert str(error) in record.getMessage()
    assert record.__dict__["func_name"] == "work"


def test_kicks_reach_max(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that fails after three kicks is deleted, and its body is logged."""
    runs = []

    @queue.task("t")
    def work(secret: str) -> None:
        runs.append(secret)
        raise ValueError

    job_id = work.put(secret="ü")
    for kicks in range(3):
        Worker(burst=True).run()
        assert broker.stats_job(job_id)["state"] == "buried"
        assert broker.stats_job(job_id)["kicks"] == kicks
        assert "ü" not in caplog.text
        with broker.client("t") as client:
            assert client.kick(1) == 1
    Worker(burst=True).run()

    assert len(runs) == 4
    assert broker.counts("t") == {}
    last = records(caplog, job_id)[-1].getMessage()
    assert f"Kicks reach max (3): job {job_id} is deleted: work (tube t)" in last
    assert (
        'Its body was: {"func_name":"work","tube":"t","kwargs":{"secret":"ü"}}' in last
    )


def test_other_max_kicks(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t", max_kicks=0)
    def never() -> None:
        raise ValueError

    @queue.task("t", max_kicks=None)
    def forever() -> None:
        raise ValueError

    never.put()
    forever.put()
    for _ in range(5):
        Worker(burst=True).run()
        with broker.client("t") as client:
            assert client.kick(10) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff", "not UTF-8"),
        (b"no json", "not JSON"),
        (b'{"func_name": "work", "tube": "t"}', 'no "kwargs"'),
        (b'{"func_name": "nope", "tube": "t", "kwargs": {}}', "no task 'nope'"),
        (b'{"func_name": "other", "tube": "u", "kwargs": {}}', "no task 'other'"),
        (b'{"func_name": "work", "tube": "t", "kwargs": {"b": 1}}', "do not fit"),
    ],
)
def test_job_that_cannot_run(
    broker: Beanstalkd,
    queue: JobQueue,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    problem: str,
) -> None:
    """It is buried after each kick, however many, and never deleted."""

    @queue.task("t")
    def work(a: int) -> None: ...

    @queue.task("u")
    def other() -> None: ...

    job_id = broker.put(body)
    for _ in range(5):
        Worker(["t"], burst=True).run()
        with broker.client("t") as client:
            assert client.peek(job_id).body == body
            stats = client.stats_job(job_id)
            assert (stats["state"], stats["pri"]) == ("buried", 77)
            client.kick(1)

    for record in records(caplog, job_id):
        assert record.levelno == logging.ERROR
        assert "buried: it can't be run (tube t)" in record.getMessage()
        assert problem in record.getMessage()
        assert record.__dict__["tube"] == "t"


class UnshowableError(Exception):
    """An exception whose every look at it raises."""

    def __str__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise RuntimeError


class UnshowableBury(Bury):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "error",
    [
        UnshowableError(),
        UnshowableBury(),
        SyntaxError("x", ("f", "z", "q", 5)),  # type: ignore[arg-type]
        ExceptionGroup("many", [UnshowableError(), ValueError()]),
        RecursionError(),
    ],
)
def test_odd_exceptions(broker: Beanstalkd, queue: JobQueue, error: Exception) -> None:
    """A job is buried even if its exception cannot be shown."""

    @queue.task("t")
    def odd() -> None:
        raise error

    @queue.task("t")
    def good() -> None: ...

    odd.put()
    good.put()
    Worker(burst=True).run()

    assert broker.counts("t") == {"buried": 1}


def dropped(_record: logging.LogRecord) -> bool:
    return False


def broken(_record: logging.LogRecord) -> bool:
    raise RuntimeError


@pytest.mark.parametrize("keep", [dropped, broken])
def test_body_that_cannot_be_logged(
    broker: Beanstalkd, queue: JobQueue, keep: Callable[[logging.LogRecord], bool]
) -> None:
    """The job is buried instead of deleted."""

    @queue.task("t", max_kicks=0)
    def work(precious: str) -> None:
        raise ValueError(precious)

    work.put("a")
    logger = logging.getLogger("jobqueue.worker")
    logger.addFilter(keep)
    try:
        Worker(burst=True).run()
    finally:
        logger.removeFilter(keep)
    assert broker.counts("t") == {"buried": 1}


def test_numeric_tube_in_the_log(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    @queue.task("007")
    def work() -> None: ...

    with broker.client("007") as client:
        job_id = client.put(b"no job")
    Worker(burst=True).run()

    (record,) = records(caplog, job_id)
    assert record.__dict__["tube"] == "007"
    assert "(tube 007)" in record.getMessage()


@pytest.mark.parametrize(
    ("error", "command", "answers"),
    [
        (None, b"delete", [NOT_FOUND]),
        (ValueError("as told"), b"stats-job", [stats_reply(), NOT_FOUND]),
        (ValueError("as told"), b"bury", [NOT_FOUND]),
    ],
)
def test_lost_reservation(
    socket_folder: Path,
    caplog: pytest.LogCaptureFixture,
    error: Exception | None,
    command: bytes,
    answers: list[bytes],
) -> None:
    """It is logged. On a fake broker, as beanstalkd may not notice the end of a ttr."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"reserve-with-timeout", RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply()).on(command, *answers)
    with fake:

        @JobQueue(fake.url).task("t")
        def work() -> None:
            if error:
                raise error

        with working(Worker(failures_kept=0)):
            eventually_true(lambda: records(caplog, 9))

    record = records(caplog, 9)[0]
    assert record.levelno == logging.WARNING
    assert "may run twice" in record.getMessage()
    assert "not reserved for this worker any more" in record.getMessage()
    assert bool(record.exc_info) is bool(error)


def test_broker_lost_at_settling(
    socket_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning says that the job may run twice, and shows its failure."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"reserve-with-timeout", RESERVED, SILENCE)
    fake.on(b"stats-job", stats_reply()).on(b"bury", HANG_UP)
    with fake:

        @JobQueue(fake.url).task("t")
        def work() -> None:
            raise ValueError("the failure")

        with working(Worker()):
            eventually_true(lambda: records(caplog, 9))

    record = records(caplog, 9)[0]
    assert "may run twice: it failed, but the broker was lost" in record.getMessage()
    assert "the failure" in caplog.text


class BadTracebackError(Exception):
    def with_traceback(self, tb: object) -> Any:
        raise RuntimeError(tb)


class BadClassError(Exception):
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError


class BadAttributesError(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError


class ExitsWhenShownError(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class InterruptsWhenShownError(BaseException):
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "kind",
    [
        BadTracebackError,
        BadClassError,
        BadAttributesError,
        ExitsWhenShownError,
        InterruptsWhenShownError,
    ],
)
def test_misbehaving_errors(
    broker: Beanstalkd, queue: JobQueue, kind: type[BaseException]
) -> None:
    """An error whose methods raise does not end the worker."""
    ran = []

    @queue.task("t", max_kicks=0 if kind is ExitsWhenShownError else None)
    def work() -> None:
        raise kind

    @queue.task("t")
    def other() -> None:
        ran.append(1)

    work.put()
    other.put()
    Worker(burst=True).run()

    assert ran == [1]
    expected = {} if kind is ExitsWhenShownError else {"buried": 1}
    assert broker.counts("t") == expected
