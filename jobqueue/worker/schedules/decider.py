"""Decider: what to do with the ticks, where other workers and faults are about."""

import math

from jobqueue.errors import BrokerError
from jobqueue.schedule.decision import Decision, Leave, decide
from jobqueue.schedule.tick import Tick
from jobqueue.worker.reporting import schedule_log
from jobqueue.worker.schedules.other_code import OtherCode
from jobqueue.worker.schedules.scheduled_task import ScheduledTask


class Decider:
    """Decides about ticks, for a worker that started at ``started``, in Unix seconds.

    A fault in the library of cron is logged, once for each schedule, and holds up no
    other schedule.
    """

    def __init__(self, other_code: OtherCode, started: float) -> None:
        self._other_code = other_code
        self._started = started
        self._faulty: set[str] = set()  # schedules

    def first_due(self, task: ScheduledTask, since: float) -> int | None:
        """Return the first due time after a moment; None if that can't be told."""
        try:
            return task.schedule.times.next_after(since)
        except Exception as error:  # noqa: BLE001 - anybody's library
            self._say(task, error)
            return None

    def decide(self, tick: Tick, task: ScheduledTask, now: float) -> Decision:
        """Return what to do with a tick."""
        try:
            decision = decide(tick, task.schedule, now, self._started)
            if isinstance(decision, Leave) and not self._other_code.has(tick):
                return decide(tick, task.schedule, now, math.inf)
        except BrokerError:
            raise
        except Exception as error:  # noqa: BLE001 - anybody's library
            self._say(task, error)
            return Leave()
        return decision

    def _say(self, task: ScheduledTask, error: Exception) -> None:
        if task.name not in self._faulty:
            self._faulty.add(task.name)
            schedule_log.times_failed(task.name, error)
