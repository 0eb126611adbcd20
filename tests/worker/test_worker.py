"""What becomes of a job: a real worker in a thread, on a real broker."""

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

import greenstalk
import pytest

from jobqueue import (
    BrokerURLError,
    Bury,
    JobQueue,
    JobQueueError,
    OptionError,
    TubeNameError,
    UnknownTubeError,
    Worker,
)
from jobqueue.worker import forks
from tests.helpers.fake_broker import (
    HANG_UP,
    NOT_FOUND,
    RESERVED,
    SILENCE,
    FakeBroker,
    stats_reply,
)
from tests.helpers.log_records import records
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_thread import working


def put_raw(broker: Beanstalkd, body: bytes, priority: int = 77) -> int:
    with broker.client("t") as client:
        return client.put(body, priority=priority)


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
    job_id = put_raw(broker, body)
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

    job_id = put_raw(broker, body)
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


def test_body_that_cannot_be_logged(
    broker: Beanstalkd, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is buried instead of deleted."""

    @queue.task("t", max_kicks=0)
    def work(precious: str) -> None:
        raise ValueError(precious)

    work.put("a")
    monkeypatch.setattr(logging.getLogger("jobqueue.worker"), "disabled", True)
    Worker(burst=True).run()
    assert broker.counts("t") == {"buried": 1}

    def broken(_record: logging.LogRecord) -> bool:
        raise RuntimeError

    logger = logging.getLogger("jobqueue.worker")
    monkeypatch.setattr(logger, "disabled", False)
    work.put("b")
    logger.addFilter(broken)
    try:
        Worker(burst=True).run()
    finally:
        logger.removeFilter(broken)
    assert broker.counts("t") == {"buried": 2}


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


def test_forked_child_holds_no_job(
    broker: Beanstalkd, queue: JobQueue, tmp_path: Path
) -> None:
    """The connection ends with the worker, however long the child lives."""
    pid = tmp_path / "pid"

    @queue.task("t")
    def fork() -> None:
        child = os.fork()
        if not child:
            threading.Event().wait(60)
            os._exit(0)
        pid.write_text(str(child))

    put_raw(broker, b'{"func_name":"fork","tube":"t","kwargs":{}}')
    try:
        Worker(burst=True).run()
        eventually(broker.connections, 0)
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)
        os.waitpid(int(pid.read_text()), 0)


def test_only_named_tubes(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def one() -> None: ...

    @queue.task("u")
    def two() -> None: ...

    one.put()
    two.put()
    put_raw(broker, b"", priority=0)
    with broker.client() as client:
        client.put(b"in the default tube")

    Worker(["u"], burst=True).run()

    assert broker.counts("t") == {"ready": 2}
    assert broker.counts("u") == {}
    assert broker.counts("default") == {"ready": 1}


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

        with working(Worker()):
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


def test_fork_callbacks_are_removed(
    queue: JobQueue,
) -> None:
    @queue.task("t")
    def work() -> None: ...

    before = forks._callbacks().copy()
    Worker(threads=2, burst=True).run()

    assert forks._callbacks() == before


@pytest.mark.parametrize("name", ["fork", "async_fork"])
def test_forked_child_is_no_worker(
    broker: Beanstalkd, queue: JobQueue, tmp_path: Path, name: str
) -> None:
    @queue.task("t")
    def fork() -> None:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            (tmp_path / "parent").write_text(str(os.getpid()))

    @queue.task("t")
    async def async_fork() -> None:
        fork()

    task = {"fork": fork, "async_fork": async_fork}[name]
    task.put()
    task.put()
    Worker(burst=True).run()

    assert (tmp_path / "parent").read_text() == str(os.getpid())
    assert broker.counts("t") == {}


def test_stop_when_idle(broker: Beanstalkd, queue: JobQueue) -> None:
    """At once; and a second stop does no harm."""

    @queue.task("t")
    def work() -> None: ...

    worker = Worker(["t"])
    with working(worker):
        eventually(lambda: broker.waiting("t"), 1)
        worker.stop()
    worker.stop()

    assert broker.connections() == 0


def test_stop_when_busy(broker: Beanstalkd, queue: JobQueue) -> None:
    """The running job finishes, and no other is reserved."""
    started, finish = threading.Event(), threading.Event()
    ran = []

    @queue.task("t")
    def work(n: int) -> None:
        started.set()
        finish.wait(20)
        ran.append(n)

    work.put(1)
    work.put(2)
    worker = Worker()
    with working(worker):
        assert started.wait(20)
        worker.stop()
        finish.set()

    assert ran == [1]
    assert broker.counts("t") == {"ready": 1}


def test_stopping_often(broker: Beanstalkd, queue: JobQueue) -> None:
    """No job is lost or runs twice."""
    ran: list[int] = []
    total = 3000

    @queue.task("t")
    def work(n: int) -> None:
        ran.append(n)

    for n in range(total):
        work.put(n)
    while len(ran) < total:
        worker = Worker()
        done_before = len(ran)
        with working(worker):
            eventually_true(lambda: len(ran) > done_before)  # noqa: B023

    assert sorted(ran) == list(range(total))
    assert broker.counts("t") == {}


def test_runs_once(queue: JobQueue) -> None:
    @queue.task("t")
    def work() -> None: ...

    worker = Worker(burst=True)
    worker.run()

    with pytest.raises(JobQueueError, match="runs once"):
        worker.run()


def test_url_of_the_queue(queue: JobQueue, broker: Beanstalkd) -> None:
    """A worker connects to the broker of its tasks' queue."""

    @queue.task("t")
    def work() -> None: ...

    assert str(Worker(["t"]).address) == broker.url
    assert str(Worker(["t"], url="beanstalkd://h").address) == "beanstalkd://h:11300"

    @JobQueue("beanstalkd://elsewhere").task("u")
    def other() -> None: ...

    assert str(Worker(["u"]).address) == "beanstalkd://elsewhere:11300"
    with pytest.raises(OptionError, match="different brokers"):
        Worker()


def test_wrong_use(queue: JobQueue) -> None:
    with pytest.raises(UnknownTubeError, match="no task is registered"):
        Worker()

    @queue.task("t")
    def work() -> None: ...

    with pytest.raises(UnknownTubeError, match=r"tube 'u' \(known tubes: t\)"):
        Worker(["t", "u"])
    with pytest.raises(TubeNameError):
        Worker(["a b"])
    with pytest.raises(BrokerURLError):
        Worker(["t"], url="h")
    wrong: Any = "t"
    with pytest.raises(OptionError, match=r"\['t'\]"):
        Worker(wrong)
    for name in ("threads", "max_jobs"):
        for wrong in (0, -1, 1.5, "2", True):
            with pytest.raises(OptionError, match=f"{name} has to be a whole number"):
                Worker(["t"], **{name: wrong})
    for wrong in (0, -1, "2", True, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="time_limit has to be"):
            Worker(["t"], time_limit=wrong)
        with pytest.raises(OptionError, match="time_limit has to be"):
            queue.task("t", time_limit=wrong)
    wrong = [1]
    with pytest.raises(TubeNameError):
        Worker(wrong)
    for wrong in (-1, 1e10, float("nan"), "30"):
        with pytest.raises(OptionError, match="shutdown_timeout"):
            Worker(["t"], shutdown_timeout=wrong)


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
