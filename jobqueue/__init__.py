"""A minimal decorator-based task library on beanstalkd.

>>> from jobqueue import JobQueue
>>> queue = JobQueue()
>>> @queue.task("emails")
... def send(to, subject): ...
>>> send.put(to="ada@example.org", subject="Hello")
1

and then ``python -m jobqueue.worker --tube emails --import app.tasks``.
"""

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
    JobQueueError,
    JobStuckError,
    JobTooBigError,
    NoCurrentJobError,
    OptionError,
    PutManyError,
    ReservationLostError,
    TaskDefinitionError,
    TimeLimitExceeded,
    TubeNameError,
    UnknownTubeError,
)
from jobqueue.job import Job, current_job
from jobqueue.job_queue import JobQueue
from jobqueue.outcome import Bury, Retry
from jobqueue.putter import Putter
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
    "Bury",
    "ConnectionLostError",
    "CrashLoopError",
    "DuplicateTaskError",
    "Job",
    "JobQueue",
    "JobQueueError",
    "JobStuckError",
    "JobTooBigError",
    "NoCurrentJobError",
    "OptionError",
    "PutManyError",
    "Putter",
    "ReservationLostError",
    "Retry",
    "TaskDefinitionError",
    "TimeLimitExceeded",
    "TubeNameError",
    "UnknownTubeError",
    "Worker",
    "__version__",
    "current_job",
]
