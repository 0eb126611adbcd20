"""The events of a worker, each reported once, to all listeners."""

from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec

from jobqueue.broker.address import Address
from jobqueue.errors import BrokerError, CrashLoopError
from jobqueue.job.decision import Decision
from jobqueue.task.definition import Task
from jobqueue.worker.exits import call_with_timeout, start_call
from jobqueue.worker.reporting.unfailing import logger, say_what_failed, switch_on_log
from jobqueue.worker.running.executor import ReservedJob, Result

P = ParamSpec("P")


class Listener:
    """Receives the events of a worker. The base class does nothing with them."""

    def worker_started(
        self,
        tubes: Sequence[str],
        tasks: Sequence[Task],
        signed: Sequence[Task],
        address: Address,
    ) -> None:
        """Note that a worker starts; jobs of the ``signed`` tasks have to be signed."""

    def worker_quiet(self, reason: str, running: Sequence[int]) -> None:
        """Note that a worker takes no more jobs, and stays."""

    def worker_stopping(self, reason: str, running: Sequence[int]) -> None:
        """Note that a worker takes no more jobs, and waits for those that run."""

    def jobs_abandoned(self, reason: str, running: Sequence[int]) -> None:
        """Note that a worker waits for its running jobs no longer."""

    def worker_stopped(self) -> None:
        """Note that a worker has stopped."""

    def slot_failed(self, error: BaseException) -> None:
        """Note that a slot has failed, which is a fault of this library."""

    def broker_lost(self, error: BrokerError) -> None:
        """Note that the connection to the broker is lost, or can't be made."""

    def broker_found(self, address: Address) -> None:
        """Note that there is a connection to the broker again."""

    def notes_fail(self, why: str) -> None:
        """Note that notes of failures can't be kept in the broker, and why."""

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        """Note how a job has ended. The broker knows, unless the job was lost."""

    def keep_body(
        self,
        job: ReservedJob,
        result: Result,
        decision: Decision,
    ) -> bool:
        """Keep the body of a failed job that is about to be deleted.

        Returns whether a person can find it.
        """
        return False

    def job_not_touched(self, job: ReservedJob, why: str) -> None:
        """Note that the time to run of a running job could not be extended."""

    def job_stuck(self, job: ReservedJob, stack: str, *, is_buried: bool) -> None:
        """Note that a job has not stopped at its time limit."""

    def job_held_up(self, job: ReservedJob, stack: str) -> None:
        """Note that a job can't be interrupted: another one blocks the event loop."""

    def job_buried_while_running(self, job: ReservedJob, error: CrashLoopError) -> None:
        """Note that a job was buried while it runs: it was lost too often before."""

    def buried_job_ended(
        self, job: ReservedJob, result: Result, *, is_doubted: bool, is_deleted: bool
    ) -> None:
        """Note the end of a job that was buried while it ran.

        ``is_doubted``: it was buried for its earlier losses, and not for being stuck.
        """


def _tell(
    event: Callable[Concatenate[Listener, P], None],
) -> Callable[Concatenate["Reporter", P], None]:
    """Return a method that tells all listeners of an event, and never fails."""
    name = event.__name__

    def tell(self: "Reporter", /, *args: P.args, **kwargs: P.kwargs) -> None:
        switch_on_log()
        for listener in self.listeners:
            try:
                getattr(listener, name)(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - see Reporter
                say_what_failed(error, args)

    tell.__doc__ = event.__doc__
    return tell


def _tell_in_time(
    event: Callable[Concatenate[Listener, P], None],
) -> Callable[Concatenate["Reporter", P], None]:
    """Return a method that also returns within a second if a listener blocks."""
    tell = _tell(event)

    def tell_in_time(self: "Reporter", /, *args: P.args, **kwargs: P.kwargs) -> None:
        call_with_timeout(tell, self, *args, **kwargs)

    tell_in_time.__doc__ = event.__doc__
    return tell_in_time


def _tell_meanwhile(
    event: Callable[Concatenate[Listener, P], None],
) -> Callable[Concatenate["Reporter", P], None]:
    """Return a method that returns at once, and never fails."""
    tell = _tell(event)

    def tell_meanwhile(self: "Reporter", /, *args: P.args, **kwargs: P.kwargs) -> None:
        start_call(tell, self, *args, **kwargs)

    tell_meanwhile.__doc__ = event.__doc__
    return tell_meanwhile


class Reporter:
    """Tells each event to all listeners.

    Reporting an event never raises. A listener may: a task's exception may raise when
    it is shown, a log handler may be broken, and a task may have closed its stream.

    The events that slots report may block the slot, as a log line does while nobody
    reads the pipe that it goes to. The thread that handles signals reports others,
    which block it for a second at most. The heartbeat waits for none of its events, so
    that it never touches a job too late.
    """

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Tell the events to this listener, too."""
        self.listeners.append(listener)

    worker_started = _tell(Listener.worker_started)
    worker_quiet = _tell_in_time(Listener.worker_quiet)
    worker_stopping = _tell_in_time(Listener.worker_stopping)
    jobs_abandoned = _tell_in_time(Listener.jobs_abandoned)
    worker_stopped = _tell_in_time(Listener.worker_stopped)
    slot_failed = _tell_in_time(Listener.slot_failed)
    broker_lost = _tell(Listener.broker_lost)
    broker_found = _tell(Listener.broker_found)
    notes_fail = _tell(Listener.notes_fail)
    job_not_touched = _tell_meanwhile(Listener.job_not_touched)
    job_stuck = _tell_in_time(Listener.job_stuck)
    job_held_up = _tell_in_time(Listener.job_held_up)
    job_buried_while_running = _tell_meanwhile(Listener.job_buried_while_running)
    buried_job_ended = _tell(Listener.buried_job_ended)

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        """Note how a job has ended. Not made by _tell, which is slower."""
        logger.disabled = False  # see switch_on_log, which would cost a call
        for listener in self.listeners:
            try:
                listener.job_ended(job, result, decision)
            except BaseException as error:  # noqa: BLE001 - see above
                say_what_failed(error, [job])

    def keep_body(self, job: ReservedJob, result: Result, decision: Decision) -> bool:
        """Return whether a listener has kept the body of a job about to be deleted."""
        is_kept = False
        switch_on_log()
        for listener in self.listeners:
            try:
                is_kept |= listener.keep_body(job, result, decision)
            except BaseException as error:  # noqa: BLE001 - see above
                say_what_failed(error, [job])
        return is_kept
