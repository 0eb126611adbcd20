"""The jobs of a process that do not stop at their time limit, and are given up."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from jobqueue.errors import BrokerError, TimeLimitExceeded
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.executor import ReservedJob
from jobqueue.worker.slots.reservation import Reservation


class StuckJob(NamedTuple):
    """A job did not stop at its time limit, or another job holds it up."""

    job: ReservedJob
    is_held_up: bool
    is_loop_blocked: bool  # so that no other async job goes on


class StuckJobs:
    """The stuck jobs of a process.

    ``running`` returns the reservations of the process, and ``stack_of`` the stack of
    the code that runs for one.
    """

    def __init__(
        self,
        running: Callable[[], Collection[Reservation]],
        stack_of: Callable[[Reservation], str],
        reporter: Reporter,
    ) -> None:
        self._running = running
        self._stack_of = stack_of
        self._reporter = reporter
        self._given_up: list[Reservation] = []

    def __bool__(self) -> bool:
        return bool(self._given_up)

    def __contains__(self, reservation: Reservation) -> bool:
        return reservation in self._given_up

    def give_up(self, stuck: StuckJob) -> bool:
        """Bury a job, and leave its thread; return False if it has stopped at last.

        A job that another one holds up is not buried: when the process ends, the job is
        given back.
        """
        for reservation in self._running():
            if reservation is stuck.job:  # an id may recur after the broker's restart
                return self._give_up(reservation, is_held_up=stuck.is_held_up)
        return False

    def _give_up(self, reservation: Reservation, *, is_held_up: bool) -> bool:
        stack = self._stack_of(reservation)
        error = TimeLimitExceeded("it did not stop at its time limit")
        try:
            is_buried = not is_held_up and reservation.bury(error, stack=stack)
        except BrokerError:
            is_buried = False
        if not (is_buried or reservation in self._running()):
            return False
        if is_held_up:
            self._reporter.job_held_up(reservation, stack)
        else:
            self._reporter.job_stuck(reservation, stack, is_buried=is_buried)
        if reservation not in self._running():
            return False  # it has stopped, just as it was buried
        self._given_up.append(reservation)
        if not is_held_up:
            # The supervisor waits for the other jobs of the process, and not for this.
            reservation.unpublish()
        return True
