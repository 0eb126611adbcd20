"""The records of jobs that are done are those that logging itself would make."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jobqueue import JobQueue
from jobqueue.task.registry import subscriber
from jobqueue.worker.reporting.done_records import DoneRecords
from tests.helpers.reserved import Reserved

CHANGING = {"created", "msecs", "relativeCreated"}


@pytest.fixture
def job() -> Reserved:
    def work() -> None: ...

    JobQueue().task("t")(work)
    job = Reserved(b"{}")
    job.task = subscriber.find("t", "work")
    return job


@pytest.fixture
def restored_factory() -> Iterator[None]:
    factory = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(factory)


def test_as_logging_makes_them(job: Reserved) -> None:
    records = DoneRecords()
    before = time.time()
    first, second = (records.of(job, 0.25) for _ in range(2))

    assert type(second) is logging.LogRecord
    assert list(vars(second)) == list(vars(first))
    differing = {
        key for key, value in vars(first).items() if value != vars(second)[key]
    }
    assert differing <= CHANGING
    assert {key: type(value) for key, value in vars(first).items()} == {
        key: type(value) for key, value in vars(second).items()
    }
    assert second.getMessage() == "Job 7 done: work (tube t) in 0.250 s"
    assert before <= first.created <= second.created <= time.time()
    assert int(second.created * 1000) % 1000 == second.msecs
    assert second.relativeCreated >= first.relativeCreated


def test_of_another_thread(job: Reserved) -> None:
    records = DoneRecords()
    records.of(job, 0.25)
    made: list[logging.LogRecord] = []
    thread = threading.Thread(
        target=lambda: made.append(records.of(job, 0.5)), name="mine"
    )
    thread.start()
    thread.join()

    (record,) = made
    assert (record.threadName, record.thread) == ("mine", thread.ident)
    assert vars(record)["seconds"] == 0.5


def test_what_handlers_add_stays_theirs(job: Reserved) -> None:
    records = DoneRecords()
    records.of(job, 0.25).mine = 1

    assert not hasattr(records.of(job, 0.25), "mine")


@pytest.mark.usefixtures("restored_factory")
def test_factory_of_the_application(job: Reserved) -> None:
    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        record.request = next(requests)
        return record

    records = DoneRecords()
    records.of(job, 0.25)
    requests = iter("ab")
    logging.setLogRecordFactory(make)

    assert [vars(records.of(job, 0.25))["request"] for _ in range(2)] == ["a", "b"]
