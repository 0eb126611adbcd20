"""A worker's slot: reserve, execute, settle, and again, until told to stop."""

import os
import random
import threading
from collections.abc import Sequence

from jobqueue.address import Address
from jobqueue.connection import Connection, ReservedJob
from jobqueue.errors import BrokerError
from jobqueue.outcome import DONE, Outcome, decide
from jobqueue.worker import report
from jobqueue.worker.execute import Execution, FindTask, execute

RESERVE_TIMEOUT = 20  # seconds: so often an idle connection is heard of
FIRST_PAUSE = 0.1  # seconds, before a lost broker is sought again
LONGEST_PAUSE = 5.0  # seconds


class Slot:
    """A connection to the broker and a loop that runs one job at a time.

    ``find`` looks up the task of a tube and function name. With ``burst`` the slot
    stops as soon as no job is ready.
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
        self._waiting_on: Connection | None = None  # what stop() may cut
        self._pause = FIRST_PAUSE
        self._broker_is_away = False

    def run(self) -> None:
        """Work until :meth:`stop`; a lost broker is waited for, however long."""
        while not self._stopping.is_set():
            try:
                with Connection(self._address) as connection:
                    self._work_on(connection)
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
        waiting_on = self._waiting_on
        if waiting_on is not None:
            waiting_on.interrupt()

    def _work_on(self, connection: Connection) -> None:
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
        self._waiting_on = connection
        try:
            if self._stopping.is_set():
                return None
            job = connection.reserve(self._reserve_timeout)
        finally:
            self._waiting_on = None
        self._pause = FIRST_PAUSE  # only now: a broker may accept, and answer nothing
        # stop() may have cut the connection just as the job came in. It is ready again
        # then, so it must not run here.
        return None if self._stopping.is_set() else job

    def _handle(self, connection: Connection, job: ReservedJob) -> None:
        process = os.getpid()
        self.running = job
        execution = execute(job.body, self._find)
        if os.getpid() != process:
            os._exit(
                1
            )  # a child that the task forked: the job is its parent's to settle
        try:
            self._settle(connection, job, execution)
        except BrokerError:
            report.broker_not_told(job, execution)
            raise
        finally:
            self.running = None

    def _settle(
        self, connection: Connection, job: ReservedJob, execution: Execution
    ) -> None:
        outcome: Outcome = DONE
        stats = None
        if execution.error is not None:
            stats = connection.stats_job(job)
            if stats is None:
                report.reservation_lost(job, execution)
                return
            max_kicks = execution.task.max_kicks if execution.task else None
            outcome = decide(execution.error, stats, max_kicks)
        reserve = None if self._stopping.is_set() else self._reserve_timeout
        if connection.settle(job, outcome, reserve=reserve):
            report.settled(job, execution, outcome, stats)
        else:
            report.reservation_lost(job, execution)

    def _wait_for_broker(self, error: BrokerError) -> None:
        if not self._broker_is_away:
            report.broker_is_away(error)
            self._broker_is_away = True
        # Jittered, so that a thousand workers don't come back in one instant.
        self._stopping.wait(self._pause * random.uniform(0.5, 1))  # noqa: S311
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
