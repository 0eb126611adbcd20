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
    Bury,
    ConnectionLostError,
    DuplicateTaskError,
    JobQueueError,
    JobTooBigError,
    OptionError,
    PutManyError,
    TaskDefinitionError,
    TubeNameError,
    UnknownTubeError,
)
from jobqueue.job_queue import JobQueue
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
    "DuplicateTaskError",
    "JobQueue",
    "JobQueueError",
    "JobTooBigError",
    "OptionError",
    "PutManyError",
    "Putter",
    "TaskDefinitionError",
    "TubeNameError",
    "UnknownTubeError",
    "Worker",
    "__version__",
]
