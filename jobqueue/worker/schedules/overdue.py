"""How late schedules are, for the metrics."""

from collections.abc import Collection

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobState
from jobqueue.job.note_tubes import is_tick_tube
from jobqueue.schedule.tick import decode_tick


def overdue(
    connection: OperatorConnection, tubes: Collection[str], now: float
) -> dict[str, int]:
    """Return for how many seconds each schedule of these tubes has been due; 0: not.

    One whose tick a worker handles at this moment is left out. ``now`` is the Unix
    time.
    """
    names = [name for name in connection.tubes() if is_tick_tube(name)]
    found: dict[str, int] = {}
    for state in (JobState.BURIED, JobState.DELAYED, JobState.READY):
        for job in connection.first_jobs(names, state):
            tick = decode_tick(job.body) if job else None
            if tick is not None and tick.tube in tubes:
                found[tick.name] = max(0, int(now - tick.due))
    return found
