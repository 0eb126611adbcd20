"""What to say before a kick: what it grants, and for which jobs it is the last.

A job that fails again after its last kick is deleted. That depends on the ``max_kicks``
of its task, which only workers know: they note it with the job's failure.
"""

from jobqueue.broker.stats import JobStats
from jobqueue.job.note import FailureNote
from jobqueue.job.outcome import RetryPolicy
from jobqueue.operating.formatting import number_of

GRANT = "A kicked job may be retried, or crash its worker, as often as a new job"

_DEFAULT_MAX_KICKS = RetryPolicy().max_kicks or 0
_DELETED = "if it fails again, such a job is deleted"


def is_last_kick(job: JobStats, note: FailureNote | None) -> bool | None:
    """Return whether the next kick of a buried job is the last that its task allows.

    ``note`` is that of the job's last failure. None stands for a job without such a
    note, for which it is the last kick if its task has the default of ``max_kicks``.
    """
    if note is not None and note.kicks == job.kicks and note.last_kick is not None:
        return note.last_kick
    return None if job.kicks + 1 >= _DEFAULT_MAX_KICKS else False


def of_certain(count: int) -> str:
    """Return a sentence about jobs for which it is the last kick."""
    return f"For {number_of(count, 'job')} it is the last kick: {_DELETED}"


def of_possible(count: int) -> str:
    """Return a sentence about jobs for which that depends on their task."""
    return (
        f"For {number_of(count, 'job')} it is kick {_DEFAULT_MAX_KICKS} or later: "
        f"{_DELETED}, unless its task has another max_kicks"
    )
