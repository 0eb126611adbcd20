"""Every error that jobqueue raises."""


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
    """The arguments of a put don't fit the function, or JSON can't carry one."""


class OptionError(JobQueueError, ValueError):
    """An option is of the wrong type or out of its range."""


class JobTooBigError(JobQueueError, ValueError):
    """The job is larger than the broker allows."""


class PutManyError(JobQueueError):
    """An item of a ``put_many`` could not be put; its cause says why.

    ``index`` is the item's number, counted from 0. ``ids`` are the ids of the jobs that
    the broker has taken, by the number of their item. All items before ``index`` are
    among them, and perhaps some after it. ``unconfirmed`` is how many more were sent
    without an answer, so that they may be there or not: none, unless the connection
    was lost.
    """

    def __init__(
        self, message: str, *, index: int, ids: dict[int, int], unconfirmed: int = 0
    ) -> None:
        super().__init__(message)
        self.index = index
        self.ids = ids
        self.unconfirmed = unconfirmed


class BadJobError(JobQueueError, ValueError):
    """A job is not one that this worker can run."""


class SignatureError(BadJobError):
    """A job is not signed with the worker's secret, or not for the tube it is in."""


class CrashLoopError(BadJobError):
    """A job was lost too often, as each worker that ran it crashed or froze.

    It is not run again, but buried with this as the reason.
    """


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


class ReservationLostError(BrokerError):
    """The job is not reserved for this worker any more: another one may run it."""


class NoCurrentJobError(JobQueueError, LookupError):
    """There is no current job: the code was not called by a worker."""


class JobStuckError(JobQueueError, RuntimeError):
    """A job did not stop at its time limit, and only the end of its process stops it.

    Raised by :meth:`Worker.run <jobqueue.Worker.run>`, when the other jobs are done.
    """


class TimeLimitExceeded(BaseException):
    """Raised inside of a task that runs longer than its ``time_limit``.

    Not an :class:`Exception`, so that no ``except Exception`` swallows it by mistake. A
    task may catch it to tidy up, and has 5 seconds for that.
    """
