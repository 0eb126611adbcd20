"""ScheduledTask: a periodic task, with what its ticks and its jobs need."""

from typing import NamedTuple, Self

from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import BadJobError
from jobqueue.job.body import Encoder, with_headers
from jobqueue.job.headers import DUE
from jobqueue.job.note_tubes import tick_tube
from jobqueue.job.signing import Signing
from jobqueue.schedule.schedule import Schedule
from jobqueue.schedule.tick import Tick
from jobqueue.task.definition import Task


class ScheduledTask(NamedTuple):
    """A periodic task of this worker."""

    tube: str
    func_name: str
    schedule: Schedule
    signing: Signing
    options: PutOptions  # of its jobs: without a delay, as they are put when due
    tick_tube: str

    @classmethod
    def of(cls, task: Task, schedule: Schedule) -> Self:
        """Return what the schedule of a task needs."""
        return cls(
            tube=task.tube,
            func_name=task.func_name,
            schedule=schedule,
            signing=task.signing,
            options=task.options.put._replace(delay=0, at=None),
            tick_tube=tick_tube(task.tube, task.func_name),
        )

    @property
    def name(self) -> str:
        """The name of the schedule."""
        return f"{self.tube}/{self.func_name}"

    def body(self, due: int) -> bytes:
        """Return the body of the job of a due time."""
        body = Encoder(self.func_name, self.tube).encode({})
        return self.signing.sign(with_headers(body, {DUE: str(due)}))

    def fault_of(self, tick: bytes) -> str:
        """Return what is wrong with the signature of a tick; nothing if it is right."""
        try:
            self.signing.check(tick)
        except BadJobError as error:
            return str(error)
        return ""

    def first_tick(self, due: int) -> Tick:
        """Return a tick without a history."""
        return Tick(
            tube=self.tube,
            func_name=self.func_name,
            due=due,
            definition="",
            since=0,
            priority=0,
            ttr=1,
        )

    def own(self, tick: Tick, started: float, code: str) -> Tick:
        """Return a tick with the definition of this code, of a worker started then."""
        is_same = tick.definition == self.schedule.text
        return tick._replace(
            definition=self.schedule.text,
            since=max(tick.since, started) if is_same else started,
            priority=self.options.priority,
            ttr=self.options.ttr,
            code=code,
        )
