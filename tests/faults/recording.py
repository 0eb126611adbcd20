"""What all tasks of a campaign share: each run is noted: its begin and its end."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jobqueue import (
    BrokerError,
    Job,
    JobQueue,
    Retry,
    TimeLimitExceeded,
    current_job,
)
from tests.helpers.worker_thread import slot_threads

from .books import Fate
from .hold_ups import watch_worker
from .ledger import Ledger
from .verdict import MAX_KICKS, MAX_LOST

PLAIN, MOVED, FAILING = TUBES = "faults", "faults-moved", "faults-failing"
LEDGER = "FAULTS_LEDGER"  # in the environment: the path
TTR = 3  # seconds
LONGER_THAN_TTR = 4  # seconds
TIME_LIMIT = 1  # seconds
MUCH_LONGER = 30  # seconds


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: its task, how often it is put, and how it has to end."""

    task: Any
    tube: str
    weight: int
    fate: Fate = Fate.ENDS_WELL
    ttr: int = 600  # seconds


def make_queue() -> JobQueue:
    return JobQueue(max_kicks=MAX_KICKS, max_lost=MAX_LOST)


def fail_until_kicked() -> None:
    """Fail, as the job of a task does that a person kicks after its last retry."""
    stats = current_job().reservation.stats()
    if stats is None or not stats.kicks:
        raise RuntimeError("as it should, until it is kicked")


class FailedOnceError(Exception):
    """Raised at the first attempt of a job that has a retry left."""


class _Listener(logging.Handler):
    """Notes in the ledger what the worker's log says about some jobs."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.WARNING)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        job_id = getattr(record, "job_id", None)
        if job_id is None:
            return
        if record.exc_info and isinstance(record.exc_info[1], TimeLimitExceeded):
            self._ledger.timed_out(job_id)
        text = record.getMessage()
        if "not reserved for this worker" in text:
            seconds = getattr(record, "seconds", None) or 0
            self._ledger.expired(job_id, time.monotonic() - seconds)
        if "buried while it runs" in text:
            self._ledger.doubted(job_id)


def _ledger() -> Ledger:
    """Return the ledger; at the first call, begin to note what happens to this process.

    That is after any fork.
    """
    with _opening:
        return _opened_ledger()


_opening = threading.Lock()  # several threads may run their first jobs at a time


@cache
def _opened_ledger() -> Ledger:
    ledger = Ledger(Path(os.environ[LEDGER]))
    logging.getLogger("jobqueue.worker").addHandler(_Listener(ledger))
    watch_worker(ledger)
    return ledger


def note_slot_threads() -> None:
    """Note how many threads of this process are slots."""
    _ledger().note("slot-threads", slot_threads())


@contextmanager
def recorded(job: Job) -> Iterator[None]:
    """Note that a job begins, and how it has ended."""
    # The arrival of the job, not of this line: a fault may come in between.
    began = getattr(job.reservation, "began", 0)
    run = job.kwargs["number"], job.id, os.getpid(), began
    _ledger().note("began", *run)
    try:
        yield
    except (FailedOnceError, Retry):
        _ledger().note("again", *run, time.monotonic())
        raise
    except BrokerError:  # the task itself has asked the broker
        _ledger().note("cut-off", *run, time.monotonic())
        raise
    except BaseException:
        _ledger().note("for-good", *run, time.monotonic())
        raise
    _ledger().note("ended", *run, time.monotonic())
