"""A worker's slot: reserve, execute, settle, and again, until told to stop."""

import threading
from collections.abc import Callable, Sequence

from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.outcomes import DONE, Buried, Deleted, Outcome, Released
from jobqueue.errors import BrokerError
from jobqueue.job.backoff import random_fraction
from jobqueue.job.outcome import RetryPolicy, RunLater, decide
from jobqueue.worker.exits import end_child
from jobqueue.worker.forks import called_in_children
from jobqueue.worker.processes.status_board import SlotStatus
from jobqueue.worker.reporting import job_log
from jobqueue.worker.reporting.reporter import NOBODY, Ending, Observer
from jobqueue.worker.running.executor import Execution, Executor
from jobqueue.worker.slots.admission import CrashLoopGuard, GuardState
from jobqueue.worker.slots.reservation import Reservation

RESERVE_TIMEOUT = 60  # seconds: so often the broker has to say that it is there
FIRST_PAUSE = 0.1  # seconds, before a lost broker is sought again
LONGEST_PAUSE = 5.0  # seconds

_ENDING_OF_FAILED = {
    Released: Ending.RELEASED,
    Buried: Ending.BURIED,
    Deleted: Ending.KICKS_REACH_MAX,
}


class Outage:
    """Whether the broker is away, as the slots of a process have found.

    It is said once in the log when the first slot notices, and once when the first is
    connected again.
    """

    def __init__(self, address: Address, observer: Observer = NOBODY) -> None:
        self._address = address
        self._observer = observer
        self._lock = threading.Lock()
        self._is_on = False

    def begins(self, error: BrokerError) -> None:
        """Take note that the broker is away."""
        with self._lock:
            if not self._is_on:
                job_log.broker_is_away(error)
            self._is_on = True

    def ends(self) -> None:
        """Take note that the broker is there."""
        if self._is_on:
            with self._lock:
                if self._is_on:
                    self._observer.broker_is_back()
                    job_log.broker_is_back(self._address)
                self._is_on = False


class Slot:
    """A connection to the broker and a loop that runs one job at a time.

    ``connect`` makes a connection, or raises a BrokerError. ``cell`` is where its
    supervisor looks; ``on_job_begin`` is called when it holds a job, and ``on_job_end``
    before that is settled; ``observer`` is told how it ended. With ``burst`` the slot
    stops as soon as no job is ready. It runs once.
    """

    def __init__(
        self,
        connect: Callable[[], ConsumerConnection],
        tubes: Sequence[str],
        executor: Executor,
        outage: Outage,
        wariness: GuardState,
        *,
        cell: SlotStatus,
        on_job_begin: Callable[[], None],
        on_job_end: Callable[[], None],
        observer: Observer = NOBODY,
        burst: bool = False,
    ) -> None:
        self.reservation: Reservation | None = None  # the job that runs
        self._connect = connect
        self._tubes = tubes
        self._executor = executor
        self._outage = outage
        self._suspicion = CrashLoopGuard(wariness)
        self._cell = cell
        self._on_job_begin = on_job_begin
        self._on_job_end = on_job_end
        self._observer = observer
        self._reserve_timeout = 0 if burst else RESERVE_TIMEOUT
        self._burst = burst
        self._stopping = threading.Event()
        self._is_cut = False
        self._connection: ConsumerConnection | None = None
        self._waiting = False  # for the broker, and for nothing that a job did
        self._pause = FIRST_PAUSE
        self._is_forked = False  # this is a copy, in a child process

    def run(self) -> None:
        """Work until :meth:`stop`; a lost broker is waited for, however long."""
        with called_in_children(self._forked):
            while not self._stopping.is_set():
                try:
                    with self._connect() as self._connection:
                        self._work_on(self._connection)
                except BrokerError as error:
                    self._suspicion.begin()  # its reservation is lost, if it had one
                    if not self._stopping.is_set():
                        self._wait_for_broker(error)
                else:
                    return

    def stop(self) -> None:
        """Let the job that runs finish, ask for no other, and end :meth:`run`.

        Can be called from any thread, at any time. If the slot waits for a job, it does
        so until one comes, which runs, or until :meth:`cut`.
        """
        self._stopping.set()

    def cut(self) -> bool:
        """Let the slot wait for a job no longer, after :meth:`stop`.

        Can be called from any other thread, and again. If it returns True and no job
        runs, none will. False: a job has just come, and is about to run.
        """
        connection = self._connection
        if self._is_cut or connection is None:
            return True
        if self._waiting and connection.has_received():
            return False
        # In this order: whoever misses the flag has its connection cut.
        self._is_cut = True
        if self._waiting:
            connection.interrupt()
        return True

    def _forked(self) -> None:
        """Take note that this is a copy of the slot in a child that a task forked.

        No child may keep the connection open: if the worker died, its job would stay
        reserved for as long as the child lives.
        """
        self._is_forked = True
        if self.reservation is not None:
            self.reservation.forked()
        if self._connection is not None:
            self._connection.close()

    def _work_on(self, connection: ConsumerConnection) -> None:
        self._waiting = True
        if self._stopping.is_set():
            return
        connection.watch_only(self._tubes)
        self._outage.ends()
        while True:
            reservation = self._wait_for_job(connection)
            if reservation is not None:
                self._handle(reservation)
            elif self._burst or self._stopping.is_set():
                return

    def _wait_for_job(self, connection: ConsumerConnection) -> Reservation | None:
        self._waiting = True
        # A job that was asked for with the last verdict may be on its way. To leave it
        # would count as its worker's loss, and after some of these it would be buried.
        if self._stopping.is_set() and not connection.awaits_job:
            return None
        job = connection.reserve(self._reserve_timeout)
        self._waiting = False
        self._pause = FIRST_PAUSE  # only now: a broker may accept, and answer nothing
        if job is None:
            return None
        reservation = Reservation(
            connection,
            *job,
            self._cell,
            self._suspicion,
            may_be_of_other_tube=len(self._tubes) > 1,
        )
        # The connection may have been cut just as the job came in. It is ready again
        # then, so it must not run here. In this order: whoever cuts the slot and finds
        # no reservation can be sure that no job begins to run.
        self.reservation = reservation
        if self._is_cut:
            self._end(reservation)
            return None
        self._on_job_begin()
        return reservation

    def _handle(self, reservation: Reservation) -> None:
        try:
            execution = self._executor.execute(reservation)
            if self._is_forked:
                end_child(execution.error)
            self._on_job_end()
            self._tell_broker(reservation, execution)
            del execution  # a failure leads to this frame: see Executor.execute
        finally:
            self._end(reservation)

    def _tell_broker(self, reservation: Reservation, execution: Execution) -> None:
        try:
            if execution.error is not None:
                self._settle_failed(reservation, execution, execution.error)
            elif self._settle(reservation, DONE):
                self._observer.ended(Ending.DONE, execution)
                job_log.done(reservation, execution)
            else:
                self._is_lost(reservation, execution)
        except BrokerError:
            self._observer.ended(Ending.LOST, execution)
            job_log.broker_not_told(reservation, execution)
            raise

    def _end(self, reservation: Reservation) -> None:
        reservation.end()
        self.reservation = None

    def _settle_failed(
        self, reservation: Reservation, execution: Execution, error: BaseException
    ) -> None:
        stats = reservation.stats()
        if stats is None:
            self._is_lost(reservation, execution)
            return
        policy = execution.task.policy if execution.task else RetryPolicy()
        outcome: Outcome
        try:
            outcome = decide(error, stats, policy)
        except Exception as broken:  # noqa: BLE001 - backoff may be a function of the app's
            broken.__cause__ = error
            error, outcome = broken, Buried(stats.priority)
        failure = job_log.Failure(reservation, execution, error, stats, policy)
        if outcome == Deleted() and not job_log.deleting(failure):
            # The log would have had the only copy of the body, and it doesn't.
            outcome = Buried(stats.priority)
        if not self._settle(reservation, outcome):
            self._is_lost(reservation, execution)
            return
        if type(error) is RunLater:  # isinstance() may run code of a task's own error
            job_log.put_back(failure)
            return
        self._observer.ended(_ENDING_OF_FAILED[type(outcome)], execution, stats.tube)
        match outcome:
            case Released(delay=delay):
                job_log.released(failure, delay)
            case Buried():
                job_log.buried(failure)

    def _is_lost(self, reservation: Reservation, execution: Execution) -> None:
        """Take note that the reservation is void: lost, or given up meanwhile."""
        if not reservation.is_buried:
            self._suspicion.begin()
            self._observer.ended(Ending.LOST, execution)
            job_log.reservation_lost(reservation, execution)
            return
        is_well = reservation.is_doubted and execution.error is None
        is_deleted = is_well and reservation.delete_buried()
        if is_deleted:
            self._observer.ended(Ending.DONE, execution)
        job_log.ended_after_all(reservation, execution, is_deleted=is_deleted)

    def _settle(self, reservation: Reservation, outcome: Outcome) -> bool:
        reserve = None if self._stopping.is_set() else self._reserve_timeout
        return reservation.settle(outcome, reserve=reserve)

    def _wait_for_broker(self, error: BrokerError) -> None:
        self._outage.begins(error)
        # Jittered, so that a thousand workers don't come back in one instant.
        self._stopping.wait(self._pause * (1 + random_fraction()) / 2)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
