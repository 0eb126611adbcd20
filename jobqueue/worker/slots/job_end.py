"""The end of a job: what becomes of it is decided, and its end is reported."""

from jobqueue.broker.settlement import Buried
from jobqueue.errors import BrokerError
from jobqueue.job.decision import (
    RESERVATION_LOST,
    SUCCEEDED,
    Decision,
    Ending,
    decide_on_failure,
    excuse,
    may_be_excused,
)
from jobqueue.job.expiry import Expired
from jobqueue.job.outcome import RetryPolicy
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.executor import Result
from jobqueue.worker.slots.admission import Admission
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.slots.stop_signal import StopSignal


def decision_on(
    reservation: Reservation,
    result: Result,
    reporter: Reporter,
    stop_signal: StopSignal,
) -> Decision:
    """Decide what becomes of a job; asks the broker for a failed job's counts."""
    error = result.error
    if error is None:
        return SUCCEEDED
    if reservation.is_buried:
        return RESERVATION_LOST  # nothing is left to decide: see report()
    stats = error.stats if type(error) is Expired else reservation.stats()
    if stats is None:
        return RESERVATION_LOST
    policy = reservation.task.policy if reservation.task else RetryPolicy()
    decision = decide_on_failure(error, stats, policy)
    if may_be_excused(decision) and stop_signal.came_before_now():
        return excuse(decision, stats)
    if decision.ending is Ending.KICKS_REACH_MAX:
        is_kept = reporter.keep_body(reservation, result, decision)
        if not is_kept:  # the broker has the only copy of the body
            buried = Buried(stats.priority)
            return decision._replace(outcome=buried, ending=Ending.BURIED)
    return decision


def report(
    reservation: Reservation,
    result: Result,
    decision: Decision,
    reporter: Reporter,
    admission: Admission,
) -> None:
    """Report how a job has ended; have more jobs checked if its reservation was lost.

    A job that was buried while it ran, for its earlier losses, and has succeeded after
    all, is deleted.
    """
    if decision is not RESERVATION_LOST:
        reporter.job_ended(reservation, result, decision)
        return
    if not reservation.is_buried:
        admission.distrust()
        reporter.job_ended(reservation, result, decision)
        return
    is_doubted = reservation.is_doubted
    is_well = is_doubted and result.error is None
    is_deleted = is_well and reservation.delete_buried()
    if is_doubted:
        reservation.note_end(result.error)
    reporter.buried_job_ended(
        reservation, result, is_doubted=is_doubted, is_deleted=is_deleted
    )


def report_lost(
    reservation: Reservation, result: Result, lost: BrokerError, reporter: Reporter
) -> None:
    """Report the end of a job whose broker was lost before the job was settled."""
    reporter.job_ended(reservation, result, Decision(None, Ending.LOST, lost))
