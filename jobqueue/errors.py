"""Every error that jobqueue raises, and what a task raises to decide about its job."""


class JobQueueError(Exception):
    """The base class of every error that jobqueue raises."""


class TubeNameError(JobQueueError, ValueError):
    """A tube's name is not one that beanstalkd takes."""


class BrokerURLError(JobQueueError, ValueError):
    """The broker's address is not a beanstalkd URL."""


class TaskDefinitionError(JobQueueError, TypeError):
    """What was decorated can't be a task."""


class DuplicateTaskError(JobQueueError, ValueError):
    """Two different functions of one name were registered in one tube."""


class UnknownTubeError(JobQueueError, LookupError):
    """No task is registered in a tube that a worker should work off."""


class ArgumentError(JobQueueError, TypeError):
    """An argument of a put can't be sent: JSON has no way to write it."""


class OptionError(JobQueueError, ValueError):
    """An option is of the wrong type or out of its range."""


class JobTooBigError(JobQueueError, ValueError):
    """The job is larger than the broker allows."""


class BadJobError(JobQueueError, ValueError):
    """A job's body is not one that this worker can run."""


class BrokerError(JobQueueError, ConnectionError):
    """The broker did not do what it was asked."""


class BrokerUnreachableError(BrokerError):
    """No connection to the broker could be made."""


class BrokerTimeoutError(BrokerError, TimeoutError):
    """The broker did not answer in time."""


class ConnectionLostError(BrokerError):
    """The connection ended, or was closed because a reply made no sense."""


class BrokerDrainingError(BrokerError):
    """The broker is in drain mode and takes no new jobs."""


class BrokerOutOfMemoryError(BrokerError):
    """The broker has no memory left for another job."""


class Bury(Exception):  # noqa: N818 - a task says `raise Bury("why")`
    """Raised by a task: bury this job at once, and log the reason.

    Not a :class:`JobQueueError`, so that a task that catches those (around a put,
    say) does not swallow its own verdict.
    """
