"""A worker's slot: reserve, execute, settle, and again, until told to stop."""

import os
import random
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress

from jobqueue.address import Address
from jobqueue.connection import Connection, ReservedJob
from jobqueue.errors import BrokerError
from jobqueue.outcome import DONE, Buried, Deleted, Outcome, decide
from jobqueue.worker import report
from jobqueue.worker.execute import Execution, FindTask, execute

RESERVE_TIMEOUT = 20  # seconds: so often an idle connection is heard of
FIRST_PAUSE = 0.1  # seconds, before a lost broker is sought again
LONGEST_PAUSE = 5.0  # seconds


class Slot:
    """A connection to the broker and a loop that runs one job at a time.

    ``find`` looks up the task of a tube and function name. With ``burst`` the slot
    stops as soon as no job is ready. A slot runs once.
    """

    def __init__(
        self,
        address: Address,
        tubes: Sequence[str],
        find: FindTask,
        *,
        burst: bool = False,
    ) -> None:
        self.running: ReservedJob | None = None
        self._address = address
        self._tubes = tubes
        self._find = find
        self._reserve_timeout = 0 if burst else RESERVE_TIMEOUT
        self._burst = burst
        self._stopping = threading.Event()
        self._connection: Connection | None = None
        self._waiting = False  # for the broker, and for nothing that a job did
        self._pause = FIRST_PAUSE
        self._broker_is_away = False

    def run(self) -> None:
        """Work until :meth:`stop`; a lost broker is waited for, however long."""
        _close_in_children(self)
        while not self._stopping.is_set():
            try:
                with Connection(self._address) as self._connection:
                    self._work_on(self._connection)
            except BrokerError as error:
                if not self._stopping.is_set():
                    self._wait_for_broker(error)
            else:
                return

    def stop(self) -> None:
        """Let the job that runs finish, reserve no other, and end :meth:`run`.

        Can be called from any other thread, at any time.
        """
        # In this order: whoever misses the flag has its connection cut.
        self._stopping.set()
        connection = self._connection
        if self._waiting and connection is not None:
            connection.interrupt()

    def close_connection(self) -> None:
        """Close the connection, whatever it is used for."""
        if self._connection is not None:
            self._connection.close()

    def _work_on(self, connection: Connection) -> None:
        self._waiting = True
        if self._stopping.is_set():
            return
        connection.watch_only(self._tubes)
        if self._broker_is_away:
            report.broker_is_back(self._address)
            self._broker_is_away = False
        while not self._stopping.is_set():
            job = self._wait_for_job(connection)
            if job is not None:
                self._handle(connection, job)
            elif self._burst:
                return

    def _wait_for_job(self, connection: Connection) -> ReservedJob | None:
        self._waiting = True
        if self._stopping.is_set():
            return None
        job = connection.reserve(self._reserve_timeout)
        self._waiting = False
        self._pause = FIRST_PAUSE  # only now: a broker may accept, and answer nothing
        # stop() may have cut the connection just as the job came in. It is ready again
        # then, so it must not run here.
        return None if self._stopping.is_set() else job

    def _handle(self, connection: Connection, job: ReservedJob) -> None:
        process = os.getpid()
        self.running = job
        execution = execute(job.body, self._find)
        if os.getpid() != process:
            _end_child(execution.error)
        try:
            if execution.error is None:
                self._settle_done(connection, job, execution)
            else:
                self._settle_failed(connection, job, execution, execution.error)
        except BrokerError:
            report.broker_not_told(job, execution)
            raise
        finally:
            self.running = None

    def _settle_done(
        self, connection: Connection, job: ReservedJob, execution: Execution
    ) -> None:
        if self._settle(connection, job, DONE):
            report.done(job, execution)
        else:
            report.reservation_lost(job, execution)

    def _settle_failed(
        self,
        connection: Connection,
        job: ReservedJob,
        execution: Execution,
        error: BaseException,
    ) -> None:
        stats = connection.stats_job(job)
        if stats is None:
            report.reservation_lost(job, execution)
            return
        max_kicks = execution.task.max_kicks if execution.task else None
        outcome = decide(error, stats, max_kicks)
        if outcome == Deleted() and not report.deleting(job, execution, error, stats):
            # The log would have had the only copy of the body, and it doesn't.
            outcome = Buried(stats.priority)
        if not self._settle(connection, job, outcome):
            report.reservation_lost(job, execution)
        elif outcome != Deleted():
            report.buried(job, execution, error, stats)

    def _settle(
        self, connection: Connection, job: ReservedJob, outcome: Outcome
    ) -> bool:
        reserve = None if self._stopping.is_set() else self._reserve_timeout
        return connection.settle(job, outcome, reserve=reserve)

    def _wait_for_broker(self, error: BrokerError) -> None:
        if not self._broker_is_away:
            report.broker_is_away(error)
            self._broker_is_away = True
        # Jittered, so that a thousand workers don't come back in one instant.
        self._stopping.wait(self._pause * random.uniform(0.5, 1))  # noqa: S311
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


def _close_in_children(slot: Slot) -> None:
    """Let no child that a task forks keep the slot's connection open.

    If the worker died, its job would stay reserved for as long as the child lives.
    """
    if not hasattr(os, "register_at_fork"):  # Windows, where nothing forks
        return
    slot_or_none = weakref.ref(slot)

    def close() -> None:
        slot = slot_or_none()
        if slot is not None:
            slot.close_connection()

    os.register_at_fork(after_in_child=close)


def _end_child(error: BaseException | None) -> None:
    """End a process that a task has forked and that came back from it.

    The job is its parent's to settle, and this process is no worker.
    """
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    code = error.code if isinstance(error, SystemExit) else error is not None
    os._exit(code if isinstance(code, int) else 1)
