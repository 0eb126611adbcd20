"""A minimal decorator-based task library on beanstalkd.

>>> from jobqueue import JobQueue
>>> queue = JobQueue()
>>> @queue.task("emails")
... def send(to, subject): ...
>>> send.put(to="ada@example.org", subject="Hello")
1

and then ``python -m jobqueue.worker --tube emails --import app.tasks``.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        SignatureError,
        TaskDefinitionError,
        TimeLimitExceeded,
        TubeNameError,
        UnknownTubeError,
    )
    from jobqueue.job.context import Job, current_job
    from jobqueue.job.outcome import Bury, Retry
    from jobqueue.job_queue import JobQueue
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
    "SignatureError",
    "TaskDefinitionError",
    "TimeLimitExceeded",
    "TubeNameError",
    "UnknownTubeError",
    "Worker",
    "__version__",
    "current_job",
]

# What is asked for is imported then: the commands, the plugin of pytest and those who
# only put jobs need a small part of all this.
_ROOMS = ("errors", "job.outcome", "job_queue", "task.putter", "job.context", "worker")


def __getattr__(name: str) -> object:
    if name in __all__:
        for room in _ROOMS:
            module = importlib.import_module(f"{__name__}.{room}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
