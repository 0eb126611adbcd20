"""The thread of a worker that keeps the schedules of its periodic tasks."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from jobqueue.broker.address import Address
from jobqueue.broker.operating import FoundJob
from jobqueue.broker.ticking import TickingConnection
from jobqueue.errors import BrokerError
from jobqueue.job.backoff import random_fraction
from jobqueue.task.definition import Task
from jobqueue.worker.forks import called_in_children
from jobqueue.worker.reporting import schedule_log
from jobqueue.worker.reporting.reporter import Listener
from jobqueue.worker.schedules.scheduled_task import ScheduledTask
from jobqueue.worker.schedules.ticks import Ticks
from jobqueue.worker.settings import Timings
from jobqueue.worker.threads import start_thread


class ScheduleKeeper(Listener):
    """A thread that puts the jobs of periodic tasks when they are due.

    Its connection watches the tubes with the ticks of the tasks' schedules. The broker
    gives each tick to one worker, and to another if that one is lost. So the workers
    need no leader: each keeps all schedules whose tasks it has, also while its slots
    are busy for hours.

    It takes no tick once the worker stops; one that it holds at that moment is ready
    for another worker at once. ``clock`` returns the Unix time.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        address: Address,
        timings: Timings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tasks = [
            ScheduledTask.of(task, task.schedule) for task in tasks if task.schedule
        ]
        self._address = address
        self._timings = timings
        self._clock = clock
        self._started = clock()
        self._kept_until = self._started  # when a tick that is missing was there, maybe
        self._pause = timings.first_reconnect_pause
        self._stopping = threading.Event()
        self._connection: TickingConnection | None = None
        self._is_waiting = False  # for a tick
        self._has_told_version = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = start_thread(self._run, name="jobqueue-schedules")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(self._timings.tick_patience)

    def worker_quiet(self, reason: str, running: Sequence[int]) -> None:  # noqa: ARG002
        """Take no more ticks, as the slots take no more jobs."""
        self.stop()

    def worker_stopping(self, reason: str, running: Sequence[int]) -> None:  # noqa: ARG002
        """Take no more ticks: the worker has begun to stop."""
        self.stop()

    def stop(self) -> None:
        """End the thread soon. Can be called from any thread, any number of times."""
        self._stopping.set()
        # The flag first: a thread that reads it too early has its connection shut down.
        # A job that is just being put would be put again, by another worker.
        connection = self._connection
        if connection is not None and self._is_waiting:
            connection.interrupt()

    def _run(self) -> None:
        with called_in_children(self._forked):
            while not self._stopping.is_set():
                try:
                    with TickingConnection(self._address) as self._connection:
                        self._keep(self._connection)
                except BrokerError:
                    pass  # the slots report it: it is their broker, too
                except Exception as error:  # noqa: BLE001 - a fault of ours
                    schedule_log.keeper_failed(error)
                self._stopping.wait(self._pause * (1 + random_fraction()) / 2)
                longest = self._timings.longest_reconnect_pause
                self._pause = min(self._pause * 2, longest)

    def _forked(self) -> None:
        """Close the copy of the connection in a child that a task forked."""
        if self._connection is not None:
            self._connection.close()

    def _keep(self, connection: TickingConnection) -> None:
        """Handle ticks until the worker stops, or the connection is lost."""
        self._check_version(connection)
        ticks = Ticks(connection, self._tasks, self._clock, self._started)
        ticks.watch()
        next_check = self._next_check(is_well=ticks.check(self._kept_until))
        self._pause = self._timings.first_reconnect_pause
        try:
            while not self._stopping.is_set():
                rest = max(0, next_check - time.monotonic())
                self._handle(self._wait_for_tick(connection, rest), ticks)
                if self._stopping.is_set():
                    return
                if time.monotonic() >= next_check:
                    next_check = self._next_check(is_well=ticks.check())
        finally:
            self._kept_until = ticks.kept_until

    def _handle(self, tick: FoundJob | None, ticks: Ticks) -> None:
        """Do what is to be done with a tick, as soon as it is due.

        Another is reserved only after that. None can be due before this one, and if a
        worker freezes with two jobs, beanstalkd gives neither to another worker at the
        end of its time to run.
        """
        while tick is not None and not self._stopping.is_set():
            if ticks.handle(tick):
                return
            self._wait_for_next_second()

    def _check_version(self, connection: TickingConnection) -> None:
        """Log once that the broker is too old, as it can't reserve a tick by its id."""
        server = connection.server()
        if server.is_draining is None and not self._has_told_version:
            self._has_told_version = True
            schedule_log.broker_too_old(server.version)

    def _wait_for_tick(
        self, connection: TickingConnection, seconds: float
    ) -> FoundJob | None:
        """Wait for a tick that is due; return None if none comes, or at a stop."""
        self._is_waiting = True
        try:
            if self._stopping.is_set():
                return None
            timeout = min(math.ceil(seconds), self._timings.tick_wait)
            found = connection.reserve(timeout)
        finally:
            self._is_waiting = False
        return None if found is None else FoundJob(*found)

    def _next_check(self, *, is_well: bool) -> float:
        """Return when to look at all ticks again, by ``time.monotonic()``."""
        # With jitter, or two workers that are in each other's way would be so again.
        pause = self._timings.schedules_check if is_well else self._timings.second_look
        return time.monotonic() + pause * (0.5 + random_fraction())

    def _wait_for_next_second(self) -> None:
        """Wait until a tick that is held is due: due times are whole seconds."""
        now = self._clock()
        self._stopping.wait(math.floor(now) + 1 - now)
