"""Whether the job that a schedule has put last still waits."""

from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobState
from jobqueue.errors import BadJobError
from jobqueue.job.body import decode
from jobqueue.schedule.tick import Tick


def is_waiting(connection: OperatorConnection, tick: Tick) -> bool:
    """Return whether the job that was put last has not begun yet.

    One that is to be retried is waiting, too; one that is buried is not. Another job
    may have its id, if the broker has restarted.
    """
    found = connection.job(tick.last_job) if tick.last_job else None
    if found is None:
        return False
    stats, body = found
    if stats.state not in {JobState.READY, JobState.DELAYED}:
        return False
    try:
        message = decode(body)
    except BadJobError:
        return False
    return (stats.tube, message.func_name) == (tick.tube, tick.func_name)
