"""The ticks of a worker's schedules, over one connection."""

from collections.abc import Callable, Iterable, Sequence

from jobqueue.broker.operating import FoundJob
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.settlement import DONE, Released
from jobqueue.broker.stats import JobState
from jobqueue.broker.ticking import TickingConnection
from jobqueue.job.backoff import random_fraction
from jobqueue.schedule.decision import (
    Leave,
    Move,
    Put,
    Skip,
    Wait,
    delay_until,
)
from jobqueue.schedule.tick import Tick, decode_tick
from jobqueue.worker.reporting import schedule_log
from jobqueue.worker.schedules.decider import Decider
from jobqueue.worker.schedules.last_job import is_waiting
from jobqueue.worker.schedules.other_code import OtherCode
from jobqueue.worker.schedules.refusals import REFUSALS, Refusals
from jobqueue.worker.schedules.scheduled_task import ScheduledTask
from jobqueue.worker.schedules.tick_counts import count_at_rest, is_odd, total

# Seconds: a tick is held for less than one, but the broker may be slow. If its worker
# freezes, another gets it in time to put each due time: see EACH_FOR.
_TTR = 8
_LATEST = 2  # seconds after its due time at which a tick may be ready: rounding is 1
_LEAVE_FOR = 1  # seconds that newer code has to take its tick
_GIVE_WAY_FOR = 2  # seconds, while a worker that holds another tick handles both
_HOLD_ON = 0.5  # the probability
_REFUSED_FOR = 2  # seconds until the next try with a broker that takes no jobs


class Ticks:
    """Makes, moves and deletes the ticks of some tasks, and puts the tasks' jobs.

    ``clock`` returns the Unix time, and ``started`` is when the worker started.
    """

    def __init__(
        self,
        connection: TickingConnection,
        tasks: Sequence[ScheduledTask],
        clock: Callable[[], float],
        started: float,
    ) -> None:
        self._connection = connection
        self._tasks = {task.tick_tube: task for task in tasks}
        self._clock = clock
        self._started = started
        self._other_code = OtherCode(connection, tasks, clock)
        self._decider = Decider(self._other_code, started)
        self._refusals = Refusals(clock)

    def watch(self) -> None:
        """Let the connection reserve the ticks when they are due."""
        self._connection.watch_only([*self._tasks, self._other_code.tube])

    @property
    def kept_until(self) -> float:
        """The Unix time up to which no due time is left to do."""
        return self._refusals.kept_until

    def check(self, missing_since: float | None = None) -> bool:
        """See to it that each schedule has one tick, with the right due time.

        A missing tick is made, for the first due time after ``missing_since``, or after
        :attr:`kept_until`. Returns False if this should be done again soon, as other
        workers are at the same.
        """
        since = self.kept_until if missing_since is None else missing_since
        counts = self._counts(self._tasks)
        missing = [tube for tube, found in counts.items() if not total(found)]
        for tube in missing:
            task = self._tasks[tube]
            due = self._decider.first_due(task, since)
            if due is not None:
                self._put_tick(task, task.first_tick(due), since)
        # Other workers may have put one at the same moment.
        counts |= self._counts(missing)
        odd = [tube for tube, found in counts.items() if is_odd(found)]
        for tube in odd:
            self._gather(tube)
        self._check_delayed(tube for tube in counts if tube not in odd)
        return all(total(found) == 1 for found in self._counts(odd).values())

    def handle(self, found: FoundJob) -> bool:
        """Do what is to be done with a reserved tick.

        Returns False if it is due in less than a second, and still reserved.
        """
        tick = self._valid(found)
        if tick is None:
            return True
        task, now = self._tasks[tick.tick_tube], self._clock()
        match self._decider.decide(tick, task, now):
            case Leave():
                delay = max(_LEAVE_FOR, delay_until(tick.due, now))
                self._release(found, tick, delay)
            case Wait(due):
                delay = delay_until(due, now)
                if not delay:
                    return False
                self._release(found, tick, delay)
            case Move(due):
                schedule_log.moved(task.name, due)
                self._replace(found, task, tick._replace(due=due))
            case Skip(due, next_due):
                schedule_log.skipped_late(task.name, due, now)
                self._replace(found, task, tick._replace(due=next_due, last_due=due))
            case Put() if total(counts := self._at_rest(tick)) > 1:
                return self._meet(found, tick, counts)
            case Put(due, next_due):
                done = self._put_job(task, tick, due, now)
                if done is None:
                    self._release(found, tick, _REFUSED_FOR)
                else:
                    self._replace(found, task, done._replace(due=next_due))
        return True

    def _meet(self, found: FoundJob, tick: Tick, counts: TubeStats | None) -> bool:
        """See to it that only one tick is left of several, before a job is put.

        A worker may have ended between putting the next tick and deleting the old one,
        or two have put the first at once. If another worker holds one, by chance one
        of both holds on, returning False, and the other gives way.
        """
        if counts is None or counts.reserved <= 1:
            self._gather(tick.tick_tube, {found.id: (found, tick)})
        elif random_fraction() < _HOLD_ON:
            return False
        else:
            self._release(found, tick, _GIVE_WAY_FOR)
        return True

    def _put_job(
        self, task: ScheduledTask, tick: Tick, due: int, now: float
    ) -> Tick | None:
        """Put the job of a due time; return the tick that says so.

        Returns None if the broker takes no jobs.
        """
        if not task.schedule.pile_up and is_waiting(self._connection, tick):
            schedule_log.skipped_waiting(task.name, due, tick.last_job)
            return tick._replace(last_due=due)
        try:
            job_id = self._connection.put(task.tube, task.body(due), task.options)
        except REFUSALS as error:
            self._refusals.add(task.name, error, due - 1)
            return None
        self._refusals.clear()
        schedule_log.put(task.name, job_id, due, now)
        return tick._replace(last_due=due, last_put=now, last_job=job_id)

    def _replace(self, found: FoundJob, task: ScheduledTask, tick: Tick) -> None:
        """Put a tick in place of a reserved one, which is deleted then.

        So at any moment there is one. If there are two, as this worker ended in
        between, whoever takes one next deletes the other.
        """
        if self._put_tick(task, tick, self._clock()):
            self._connection.settle(found.id, DONE)
        else:
            self._release(found, tick, _REFUSED_FOR)

    def _put_tick(self, task: ScheduledTask, tick: Tick, since: float) -> bool:
        """Put a tick; return False if the broker takes no jobs.

        Then ``since`` is the Unix time up to which no due time is left to do.
        """
        options = PutOptions(
            priority=tick.due, delay=delay_until(tick.due, self._clock()), ttr=_TTR
        )
        own = task.own(tick, self._started, self._other_code.own)
        try:
            self._connection.put(task.tick_tube, own.encode(task.signing), options)
        except REFUSALS as error:
            self._refusals.add(task.name, error, since)
            return False
        self._refusals.clear()
        return True

    def _release(self, found: FoundJob, tick: Tick, delay: int) -> None:
        self._connection.settle(found.id, Released(tick.due, delay))

    def _give_back(self, found: FoundJob) -> None:
        """Release a tick that is due in less than a second: for reserve(), at once."""
        tick = decode_tick(found.body)
        self._connection.settle(found.id, Released(tick.due if tick else 0, 0))

    def _valid(self, found: FoundJob) -> Tick | None:
        """Return a reserved tick; None if it is lost, or is none and so is deleted."""
        tick = decode_tick(found.body)
        task = self._tasks.get(tick.tick_tube) if tick else None
        why = "it is no tick"
        if tick is not None and task is not None:
            why = task.fault_of(found.body)
            if not why:
                return tick if self._is_reserved(found, tick) else None
            if self._sign_anew(found, task, tick, why):
                return None
        stats = self._connection.stats_job(found.id)
        schedule_log.bad_tick(found.id, stats.tube if stats else "a tube", why)
        self._connection.settle(found.id, DONE)
        return None

    def _is_reserved(self, found: FoundJob, tick: Tick) -> bool:
        """Return whether a tick is still reserved: else this process was frozen."""
        is_late = self._clock() > tick.due + _LATEST
        return not is_late or self._connection.touch(found.id)

    def _sign_anew(
        self, found: FoundJob, task: ScheduledTask, tick: Tick, why: str
    ) -> bool:
        """Replace a tick that this worker's secret has not signed; return whether.

        The secret may be new, and no due time shall be missed for that. So the tick is
        believed how far its schedule was kept: a forged one has, at worst, the job of
        the latest due time put again, as a copy of a signed one has. But if there is
        another tick, this one is to be deleted.
        """
        if total(self._count(tick.tick_tube)) > 1:
            return False
        since = min(tick.due - 1, self._clock())
        due = self._decider.first_due(task, since)
        if due is None:
            return False
        schedule_log.signed_anew(task.name, why)
        self._replace(found, task, tick._replace(due=due, definition="", since=0))
        return True

    def _check_delayed(self, tubes: Iterable[str]) -> None:
        """See to it that delayed ticks will be ready when they are due."""
        firsts = self._connection.first_jobs(tubes, JobState.DELAYED)
        found = [job for job in firsts if job]
        stats = self._connection.jobs(job.id for job in found)
        ready_in = [counts.time_left if counts else 0 for counts in stats]
        for job, seconds in zip(found, ready_in, strict=True):
            if not self._will_do(job, seconds):
                self._take(job.id)

    def _will_do(self, found: FoundJob, ready_in: int) -> bool:
        """Return whether nothing is to be done with a delayed tick."""
        tick = decode_tick(found.body)
        task = self._tasks.get(tick.tick_tube) if tick else None
        if tick is None or task is None or task.fault_of(found.body):
            return False
        now = self._clock()
        match self._decider.decide(tick, task, now):
            case Leave():
                return True
            case Wait(due):
                return now + ready_in <= due + _LATEST
        return False

    def _gather(
        self, tube: str, held: dict[int, tuple[FoundJob, Tick]] | None = None
    ) -> None:
        """Leave one tick in a tube, of those that no other worker holds.

        That is the one that knows of the latest due time, or else the oldest.
        """
        found = dict(held or {})
        for state in (JobState.READY, JobState.DELAYED, JobState.BURIED):
            while (job_id := self._connection.first(tube, state)) is not None:
                body = self._connection.reserve_job(job_id)
                if body is None:  # another worker was faster
                    break
                job = FoundJob(job_id, body)
                tick = self._valid(job)
                if tick is not None:
                    found[job_id] = job, tick
        best = min(found, key=lambda n: (-found[n][1].last_due, n), default=None)
        for job_id in found.keys() - {best}:
            self._connection.settle(job_id, DONE)
        if best is not None and not self.handle(found[best][0]):
            self._give_back(found[best][0])

    def _take(self, job_id: int) -> None:
        """Reserve a tick that is not due, and do what is to be done with it."""
        body = self._connection.reserve_job(job_id)
        if body is not None:  # else another worker was faster
            found = FoundJob(job_id, body)
            if not self.handle(found):
                self._give_back(found)

    def _at_rest(self, tick: Tick) -> TubeStats | None:
        return count_at_rest(lambda: self._count(tick.tick_tube))

    def _count(self, tube: str) -> TubeStats | None:
        return self._counts([tube])[tube]

    def _counts(self, tubes: Iterable[str]) -> dict[str, TubeStats | None]:
        names = list(tubes)
        return dict(zip(names, self._connection.tube_stats(names), strict=True))
