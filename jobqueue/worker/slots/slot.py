"""A worker's slot: it takes one job at a time through its life."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.settlement import Buried
from jobqueue.errors import BrokerError
from jobqueue.job.backoff import random_fraction
from jobqueue.job.decision import (
    FINAL,
    RESERVATION_LOST,
    SUCCEEDED,
    Decision,
    Ending,
    decide_on_failure,
    excuse,
    may_be_excused,
)
from jobqueue.job.expiry import Expired
from jobqueue.job.outcome import RetryPolicy, RunLater
from jobqueue.worker.exits import end_child
from jobqueue.worker.forks import called_in_children
from jobqueue.worker.processes.status_board import SlotStatus
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.executor import Call, Executor, Result, refused
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.admission import Admission
from jobqueue.worker.slots.outage import Outage
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.slots.stop_signal import StopSignal

if TYPE_CHECKING:
    from jobqueue.worker.slots.failure_notes import FailureNotes


class Slot:
    """A connection to the broker, and a loop that runs one job at a time.

    ``connect`` makes a connection, or raises a BrokerError. The supervisor reads in
    ``slot_status`` which job runs. ``on_job_begin`` is called when the slot has
    reserved a job; ``on_job_ran`` after the job's function was called, and before the
    job is settled. With ``burst`` the slot stops as soon as no job is ready. A slot
    runs once.
    """

    def __init__(
        self,
        connect: Callable[[], ConsumerConnection],
        tubes: Sequence[str],
        *,
        executor: Executor,
        admission: Admission,
        outage: Outage,
        reporter: Reporter,
        slot_status: SlotStatus,
        on_job_begin: Callable[[], None],
        on_job_ran: Callable[[], None],
        notes: "FailureNotes | None" = None,
        burst: bool = False,
        timings: Timings = Timings(),  # noqa: B008 - it is frozen
    ) -> None:
        self.reservation: Reservation | None = None  # of the job that runs now
        self.stop_signal = StopSignal(timings)
        self._connect = connect
        self._tubes = tubes
        self._executor = executor
        self._admission = admission
        self._outage = outage
        self._reporter = reporter
        self._slot_status = slot_status
        self._on_job_begin = on_job_begin
        self._on_job_ran = on_job_ran
        self._notes = notes
        self._reserve_timeout = 0 if burst else timings.reserve_timeout
        self._burst = burst
        self._stopping = threading.Event()
        self._is_interrupted = False
        self._is_abandoned = False
        self._connection: ConsumerConnection | None = None
        self._is_waiting = False  # for the broker, with no job in hand
        self._timings = timings
        self._pause = timings.first_reconnect_pause
        self._is_forked = False  # this is the copy in a child process

    def run(self) -> None:
        """Run jobs until :meth:`stop`; wait for a lost broker, however long."""
        with called_in_children(self._forked):
            while not self._stopping.is_set():
                self._slot_status.turn()
                try:
                    with self._connect() as self._connection:
                        self._work_on(self._connection)
                except BrokerError as error:
                    # The connection's reservation is lost, if there was one.
                    self._admission.distrust()
                    if not self._stopping.is_set():
                        self._wait_for_broker(error)
                else:
                    break
        self._slot_status.leave()

    def stop(self) -> None:
        """Let the running job finish, request no other, and end :meth:`run`.

        Can be called from any thread, at any time. A slot that waits for a job goes on
        waiting until one comes, which still runs, or until :meth:`interrupt_wait`.
        """
        self._stopping.set()

    def abandon(self) -> None:
        """Begin no job from now on, not even one that has come already.

        Can be called from any thread. A job that runs is in :attr:`reservation` then.
        One that has not begun is put back, if the process lives long enough for that.
        """
        self._is_abandoned = True

    def interrupt_wait(self) -> bool:
        """End the slot's wait for a job. To be called after :meth:`stop`.

        Can be called from any other thread, any number of times. Returns False if a job
        has just come, and is about to run. After True, the slot begins no job but one
        that it holds already.
        """
        connection = self._connection
        if self._is_interrupted or connection is None:
            return True
        if self._is_waiting and connection.has_received():
            return False
        # The flag first: a slot that reads it too early has its connection shut down.
        self._is_interrupted = True
        if self._is_waiting:
            connection.interrupt()
        return True

    def _forked(self) -> None:
        """Take note that this is a copy of the slot in a child that a task forked.

        The child must not keep the connection open: if the worker died, its job would
        stay reserved for as long as the child lives.
        """
        self._is_forked = True
        if self.reservation is not None:
            self.reservation.forked()
        if self._connection is not None:
            self._connection.close()

    def _work_on(self, connection: ConsumerConnection) -> None:
        self._is_waiting = True
        if self._stopping.is_set():
            return
        connection.watch_only(self._tubes)
        self._outage.end()
        while self._work_on_one(connection) or not self._is_done():
            pass

    def _is_done(self) -> bool:
        """Return whether the slot ends, now that a wait for a job has brought none."""
        return self._burst or self._stopping.is_set()

    def _work_on_one(self, connection: ConsumerConnection) -> bool:
        """Take one job through its life, and return whether there was one.

        The steps: reserve, resolve, admit, run, decide, settle, report.
        """
        reservation = self._reserve(connection)
        if reservation is None:
            return False
        try:
            try:
                call = self._executor.resolve(reservation)
                self._admit(reservation, call)
            except BrokerError:
                raise  # the job has not run: there is nothing to report
            except Exception as refusal:  # noqa: BLE001 - a body may be any bytes
                result = refused(refusal, reservation)
            else:
                result = self._executor.run(call, reservation)
                self._note_run(result)
                del call  # else its arguments would live until the next job
            try:
                decision = self._decide(reservation, result)
                if self._settle(reservation, decision):
                    self._reporter.job_ended(reservation, result, decision)
                else:
                    self._end_unsettled(reservation, result)
            except BrokerError as lost:
                decision = Decision(None, Ending.LOST, lost)
                self._reporter.job_ended(reservation, result, decision)
                raise
            del result, decision  # an error leads to this frame: see Executor.run
        finally:
            self._release(reservation)
        return True

    def _reserve(self, connection: ConsumerConnection) -> Reservation | None:
        """Wait for a job, and return its reservation; None if no job is to run."""
        self._is_waiting = True
        # A job that was requested when the last one was settled may be on its way. If
        # nobody takes it, it counts as lost with its worker, and is buried after a few
        # such losses.
        if self._stopping.is_set() and not connection.awaits_job:
            return None
        job = connection.reserve(self._reserve_timeout)
        self._is_waiting = False
        # Reset only now: a broker may accept connections, and never answer.
        self._pause = self._timings.first_reconnect_pause
        if job is None:
            self._slot_status.turn()
            return None
        reservation = Reservation(connection, *job, self._slot_status, self._notes)
        # The wait may have been interrupted just as the job came in. The broker then
        # makes the job ready again, so it must not run here. The reservation is set
        # before the flag is read: a manager that interrupts the wait, and then finds no
        # reservation, can be sure that no job begins.
        self.reservation = reservation
        if self._is_interrupted:
            self._release(reservation)
            return None
        self._on_job_begin()
        return reservation

    def _admit(self, reservation: Reservation, call: Call) -> None:
        """Return if a job may run now, else raise: see :meth:`Admission.admit`."""
        is_stopping = self._stopping.is_set
        self._admission.admit(reservation, call.task, is_stopping, call.max_age)
        if self._is_abandoned:
            raise RunLater("has not begun, and the worker waits no longer")

    def _note_run(self, result: Result) -> None:
        """Count a call for max_jobs; end a child that the task has forked."""
        if self._is_forked:
            end_child(result.error)
        if result.has_run:
            self._on_job_ran()

    def _decide(self, reservation: Reservation, result: Result) -> Decision:
        """Decide what becomes of a job; asks the broker for a failed job's counts."""
        error = result.error
        if error is None:
            return SUCCEEDED
        if reservation.is_buried:
            return RESERVATION_LOST  # nothing is left to decide: see _end_unsettled
        stats = error.stats if type(error) is Expired else reservation.stats()
        if stats is None:
            return RESERVATION_LOST
        policy = reservation.task.policy if reservation.task else RetryPolicy()
        decision = decide_on_failure(error, stats, policy)
        if may_be_excused(decision) and self.stop_signal.came_before_now():
            return excuse(decision, stats)
        if decision.ending is Ending.KICKS_REACH_MAX:
            is_kept = self._reporter.keep_body(reservation, result, decision)
            if not is_kept:  # the broker has the only copy of the body
                buried = Buried(stats.priority)
                return decision._replace(outcome=buried, ending=Ending.BURIED)
        return decision

    def _settle(self, reservation: Reservation, decision: Decision) -> bool:
        """Tell the broker the outcome, and request the next job in the same write.

        Returns False if the reservation was lost, or the job was buried while it ran.
        """
        if decision.outcome is None:
            return False
        reserve = None if self._stopping.is_set() else self._reserve_timeout
        if decision.error is not None:
            task = reservation.task
            if decision.ending in FINAL and (task is None or task.on_buried):
                reserve = None  # the next job would wait for the hooks, reserved
            return reservation.settle_failed(decision, reserve=reserve)
        return reservation.settle(decision.outcome, reserve=reserve)

    def _end_unsettled(self, reservation: Reservation, result: Result) -> None:
        """Deal with a job that can't be settled: lost, or buried while it ran."""
        if not reservation.is_buried:
            self._admission.distrust()
            self._reporter.job_ended(reservation, result, RESERVATION_LOST)
            return
        is_doubted = reservation.is_doubted
        is_well = is_doubted and result.error is None
        is_deleted = is_well and reservation.delete_buried()
        if is_doubted:
            reservation.note_end(result.error)
        self._reporter.buried_job_ended(
            reservation, result, is_doubted=is_doubted, is_deleted=is_deleted
        )

    def _release(self, reservation: Reservation) -> None:
        reservation.end()
        if reservation.has_last_chance:
            self._admission.release(reservation)
        self.reservation = None

    def _wait_for_broker(self, error: BrokerError) -> None:
        self._outage.begin(error)
        # With jitter, so that a thousand workers don't reconnect in the same instant.
        self._stopping.wait(self._pause * (1 + random_fraction()) / 2)
        self._pause = min(self._pause * 2, self._timings.longest_reconnect_pause)
