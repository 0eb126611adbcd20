"""How late schedules are, for the metrics."""

from collections.abc import Collection
from typing import NamedTuple

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState
from jobqueue.job.note_tubes import SCHEDULES, is_tick_tube
from jobqueue.schedule.tick import Tick, decode_tick

_READABLE = JobState.BURIED, JobState.DELAYED, JobState.READY


class _Seen(NamedTuple):
    """What was seen last of a schedule: its name, due time, and ticks put so far."""

    name: str
    due: int
    puts: int


class Overdue:
    """Tells for how long schedules have been due, from one scrape to the next.

    A tick that a worker holds can't be read. That takes a moment, unless the worker is
    frozen: beanstalkd may not give its tick to another (docs/why/promises.md). So what
    was seen before counts, until another tick was put.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}  # by the tubes of the ticks

    def ask(
        self, connection: OperatorConnection, tubes: Collection[str], now: float
    ) -> dict[str, int]:
        """Return for how many seconds each schedule of these tubes has been due.

        0: it is not due. ``now`` is the Unix time.
        """
        names = [name for name in connection.tubes() if is_tick_tube(name)]
        ticks = _read(connection, names)
        seen: dict[str, _Seen] = {}
        for stats in connection.tube_stats(names):
            if stats is not None and stats.jobs_in(JobState):
                found = self._look_at(stats, ticks.get(stats.tube), int(now))
                if found.name.rpartition("/")[0] in tubes:
                    seen[stats.tube] = found
        self._seen = seen
        return {each.name: max(0, int(now) - each.due) for each in seen.values()}

    def _look_at(self, stats: TubeStats, tick: Tick | None, now: int) -> _Seen:
        if tick is not None:
            return _Seen(tick.name, tick.due, stats.puts)
        name = stats.tube.removeprefix(SCHEDULES)
        seen = self._seen.get(stats.tube, _Seen(name, now, stats.puts))
        is_handled = seen.puts != stats.puts
        return seen._replace(due=now, puts=stats.puts) if is_handled else seen


def _read(connection: OperatorConnection, tubes: Collection[str]) -> dict[str, Tick]:
    """Return the ticks of these tubes that no worker holds."""
    found: dict[str, Tick] = {}
    for state in _READABLE:
        for tube, job in zip(tubes, connection.first_jobs(tubes, state), strict=True):
            tick = decode_tick(job.body) if job else None
            if tick is not None and tick.tick_tube == tube:
                found[tube] = tick
    return found
