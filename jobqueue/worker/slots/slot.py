"""A worker's slot: it takes one job at a time through its life."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.errors import BrokerError
from jobqueue.job.backoff import random_fraction
from jobqueue.job.decision import FINAL, RESERVATION_LOST, SUCCEEDED, Decision
from jobqueue.job.outcome import RunLater
from jobqueue.worker.exits import end_child
from jobqueue.worker.forks import called_in_children
from jobqueue.worker.processes.status_board import SlotStatus
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.executor import Call, Executor, Result, refused
from jobqueue.worker.settings import Timings
from jobqueue.worker.slots.admission import Admission
from jobqueue.worker.slots.job_end import decision_on, report, report_lost
from jobqueue.worker.slots.loop_waits import MAY_BLOCK, Steps
from jobqueue.worker.slots.outage import Outage
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.slots.stop_signal import StopSignal

if TYPE_CHECKING:
    from jobqueue.worker.slots.failure_notes import FailureNotes
    from jobqueue.worker.slots.loop_waits import ConnectOnLoop, LoopWaits


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
        self._loop: LoopWaits | None = None  # None: a thread takes all steps
        self._is_waiting = False  # for the broker, with no job in hand
        self._timings = timings
        self._pause = timings.first_reconnect_pause
        self._is_forked = False  # this is the copy in a child process

    def run(self) -> None:
        """Run jobs until :meth:`stop`; wait for a lost broker, however long."""
        for _ in self.steps():
            pass

    def steps(self, on_loop: "ConnectOnLoop | None" = None) -> Steps[None]:
        """Run jobs like :meth:`run`, step by step.

        ``on_loop`` makes a connection whose replies an event loop waits for. With it,
        no step blocks but those after :data:`MAY_BLOCK`, until the next wait.
        """
        with called_in_children(self._forked):
            while not self._stopping.is_set():
                self._slot_status.turn()
                try:
                    self._loop = loop = on_loop and on_loop(
                        self._reserve_timeout, self._stopping
                    )
                    connection = loop.connection if loop else self._connect()
                    with connection as self._connection:
                        yield from self._work_on(connection)
                except BrokerError as error:
                    # The connection's reservation is lost, if there was one.
                    self._admission.distrust()
                    if not self._stopping.is_set():
                        yield MAY_BLOCK
                        self._wait_for_broker(error)
                else:
                    break
        self._slot_status.leave()

    def leave_loop(self) -> None:
        """Take all steps in a thread, until the broker is lost: the loop has ended."""
        self._loop = None

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

    def _work_on(self, connection: ConsumerConnection) -> Steps[None]:
        self._is_waiting = True
        if self._stopping.is_set():
            return
        connection.watch_only(self._tubes)
        self._outage.end()
        while True:
            yield from self._take_jobs(connection)
            if self._burst or self._stopping.is_set():
                return

    def _take_jobs(self, connection: ConsumerConnection) -> Steps[None]:
        """Take one job after the other through its life, until a wait brings none.

        The steps: reserve, resolve, admit, run, decide, settle, report.
        """
        signal, reporter = self.stop_signal, self._reporter
        while True:
            if (loop := self._loop) is not None:  # else a thread waits in each step
                self._is_waiting = True
                yield from loop.reserve()
            if (reservation := self._reserve(connection)) is None:
                return
            try:
                try:
                    call = self._executor.resolve(reservation)
                    if loop is not None and self._admission.asks(reservation.id, call):
                        yield MAY_BLOCK
                    self._admit(reservation, call)
                except BrokerError:
                    raise  # the job has not run: there is nothing to report
                except Exception as refusal:  # noqa: BLE001 - a body may be any bytes
                    result = refused(refusal, reservation)
                else:
                    result = (
                        self._executor.run(call, reservation)
                        if loop is None
                        else (yield from loop.run(call, reservation))
                    )
                    self._note_run(result)
                    del call  # else its arguments would live until the next job
                try:
                    if result.error is None:
                        decision = (
                            self._settle(reservation, SUCCEEDED)
                            if loop is None
                            else (yield from loop.settle(reservation))
                        )
                    else:
                        yield MAY_BLOCK
                        decision = decision_on(reservation, result, reporter, signal)
                        decision = self._settle(reservation, decision)
                    report(reservation, result, decision, reporter, self._admission)
                except BrokerError as lost:
                    yield MAY_BLOCK  # the log may be full
                    report_lost(reservation, result, lost, reporter)
                    raise
                del result, decision  # an error leads to this frame: see Executor.run
            finally:
                self._release(reservation)

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

    def _settle(self, reservation: Reservation, decision: Decision) -> Decision:
        """Tell the broker the outcome, and request the next job in the same write.

        Returns RESERVATION_LOST if the job is not settled: its reservation was lost, or
        it was buried while it ran.
        """
        if decision.outcome is None:
            return RESERVATION_LOST
        reserve = None if self._stopping.is_set() else self._reserve_timeout
        if decision.error is None:
            is_settled = reservation.settle(decision.outcome, reserve=reserve)
        else:
            task = reservation.task
            if decision.ending in FINAL and (task is None or task.on_buried):
                reserve = None  # the next job would wait for the hooks, reserved
            if self._loop is not None:
                reserve = None  # the reply to a note comes first, and may be awaited
            is_settled = reservation.settle_failed(decision, reserve=reserve)
        return decision if is_settled else RESERVATION_LOST

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
