"""A minimal decorator-based task library on beanstalkd.

>>> from jobqueue import JobQueue
>>> queue = JobQueue()
>>> @queue.task("emails")
... def send(to, subject): ...
>>> send.put(to="ada@example.org", subject="Hello")
1

A worker runs the jobs: ``python -m jobqueue.worker --tube emails --import app.tasks``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobqueue.broker.server_stats import ServerStats, TubeStats
    from jobqueue.broker.stats import JobState, JobStats
    from jobqueue.errors import (
        ArgumentError,
        BadJobError,
        BrokerDrainingError,
        BrokerError,
        BrokerOutOfMemoryError,
        BrokerTimeoutError,
        BrokerUnreachableError,
        BrokerURLError,
        ConnectionLostError,
        CrashLoopError,
        DuplicateTaskError,
        IncompleteSearchError,
        JobQueueError,
        JobStuckError,
        JobTooBigError,
        NoCurrentJobError,
        OptionError,
        PutManyError,
        ReservationLostError,
        SignatureError,
        TaskDefinitionError,
        TimeLimitExceeded,
        TubeNameError,
        UnknownTubeError,
    )
    from jobqueue.job.context import BuriedJob, Job, current_job
    from jobqueue.job.headers import NewJob
    from jobqueue.job.note import FailureNote
    from jobqueue.job.outcome import Bury, Retry
    from jobqueue.job_queue import JobQueue
    from jobqueue.operating.failures import FailureGroup
    from jobqueue.operating.operator import Operator
    from jobqueue.operating.paging import JobPage
    from jobqueue.operating.record import JobRecord
    from jobqueue.task.putter import Putter
    from jobqueue.worker import Worker

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "BadJobError",
    "BrokerDrainingError",
    "BrokerError",
    "BrokerOutOfMemoryError",
    "BrokerTimeoutError",
    "BrokerURLError",
    "BrokerUnreachableError",
    "BuriedJob",
    "Bury",
    "ConnectionLostError",
    "CrashLoopError",
    "DuplicateTaskError",
    "FailureGroup",
    "FailureNote",
    "IncompleteSearchError",
    "Job",
    "JobPage",
    "JobQueue",
    "JobQueueError",
    "JobRecord",
    "JobState",
    "JobStats",
    "JobStuckError",
    "JobTooBigError",
    "NewJob",
    "NoCurrentJobError",
    "Operator",
    "OptionError",
    "PutManyError",
    "Putter",
    "ReservationLostError",
    "Retry",
    "ServerStats",
    "SignatureError",
    "TaskDefinitionError",
    "TimeLimitExceeded",
    "TubeNameError",
    "TubeStats",
    "UnknownTubeError",
    "Worker",
    "__version__",
    "current_job",
]

# The module of each name, imported when the name is first used, as a program that only
# puts jobs needs no worker. Names that are not listed here are errors.
_MODULES = {
    "BuriedJob": "job.context",
    "Bury": "job.outcome",
    "FailureGroup": "operating.failures",
    "FailureNote": "job.note",
    "Job": "job.context",
    "JobPage": "operating.paging",
    "JobQueue": "job_queue",
    "JobRecord": "operating.record",
    "JobState": "broker.stats",
    "JobStats": "broker.stats",
    "NewJob": "job.headers",
    "Operator": "operating.operator",
    "Putter": "task.putter",
    "Retry": "job.outcome",
    "ServerStats": "broker.server_stats",
    "TubeStats": "broker.server_stats",
    "Worker": "worker",
    "current_job": "job.context",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not importlib.import_module: that imports a package of its own first.
    module = __import__(f"{__name__}.{_MODULES.get(name, 'errors')}", fromlist=[name])
    value: object = getattr(module, name)
    globals()[name] = value  # this function is not called for it again
    return value


def __dir__() -> list[str]:
    return __all__
