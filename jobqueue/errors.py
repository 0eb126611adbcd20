"""Every error that jobqueue raises.

Most also derive from the builtin error that a caller would expect. Each one can be
pickled and copied, as a process pool does to hand it to the parent.
"""


class JobQueueError(Exception):
    """The base class of all errors of jobqueue but :class:`TimeLimitExceeded`."""


class TubeNameError(JobQueueError, ValueError):
    """A tube has a name that beanstalkd does not take.

    A name is 1 to 200 letters, digits and ``-+/;.$_()``, and does not start with ``-``.
    """


class BrokerURLError(JobQueueError, ValueError):
    """A broker's URL is malformed, or not one of a beanstalkd.

    It is ``beanstalkd://host[:port]`` or ``unix:///path/to.sock``.
    """


class TaskDefinitionError(JobQueueError, TypeError):
    """An object that was decorated can't be a task, or a hook.

    A task is a function with a name: no class, method, lambda or generator.
    """


class DuplicateTaskError(JobQueueError, ValueError):
    """Two functions of one name were made tasks of one tube.

    Their jobs could not be told apart. Rename one, or give it another tube.
    """


class UnknownTubeError(JobQueueError, LookupError):
    """A worker is to take jobs from a tube that has no task.

    Usually the module with the tasks was not imported.
    """


class ArgumentError(JobQueueError, TypeError):
    """A put has arguments that the function does not take, or that JSON can't carry."""


class OptionError(JobQueueError, ValueError):
    """An option has a wrong type, or a value out of its range."""


class JobTooBigError(JobQueueError, ValueError):
    """A job is larger than the broker allows: usually 65,535 bytes."""


class PutManyError(JobQueueError):
    """An item of a ``put_many`` could not be put; ``__cause__`` is the reason.

    ``index`` is the number of that item, counted from 0. ``ids`` maps the numbers of
    items to the ids of their jobs, for each job that the broker has taken: these are
    all items before ``index``, and perhaps some after it. ``unconfirmed`` is the number
    of further jobs that were sent, but not answered, so that the broker may have them
    or not: 0, unless the connection was lost.
    """

    def __init__(
        self, message: str, *, index: int, ids: dict[int, int], unconfirmed: int = 0
    ) -> None:
        super().__init__(message)
        self.index = index
        self.ids = ids
        self.unconfirmed = unconfirmed

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the error with its cause; without it, if pickle can't carry that."""
        # Not the default, which would call the class with the message alone.
        cause = self.__cause__ if _can_travel(self.__cause__) else None
        return _made_again, (type(self), self.args, cause), self.__dict__

    def __copy__(self) -> "PutManyError":
        copy = _made_again(type(self), self.args, self.__cause__)
        copy.__dict__.update(self.__dict__)
        return copy


def _made_again(
    kind: type[PutManyError], args: tuple[object, ...], cause: BaseException | None
) -> PutManyError:
    """Return an error without a call of its class, which may take other arguments."""
    error = kind.__new__(kind)
    error.args = args
    error.__cause__ = cause
    return error


def _can_travel(error: BaseException | None) -> bool:
    """Return whether an error can be pickled, and unpickled in the other process."""
    import pickle  # noqa: PLC0415 - slow to import, and whoever pickles has it

    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - its own pickle
    except Exception:  # noqa: BLE001 - the error's class may raise anything
        return False
    return True


class BadJobError(JobQueueError, ValueError):
    """A worker can't run a job: its body, function or arguments are wrong.

    Workers bury the job, and log this.
    """


class SignatureError(BadJobError):
    """A job is not signed with the worker's secret, or was signed for another tube."""


class CrashLoopError(BadJobError):
    """A job was lost too often, as the workers that had it crashed or froze.

    It is buried before the last run that ``max_lost`` allows.
    """


class BrokerError(JobQueueError, ConnectionError):
    """The broker could not be reached, or did not do what it was asked.

    ``in_doubt`` are the ids of the jobs that :meth:`Operator.kick_all
    <jobqueue.Operator.kick_all>`, or ``clear``, was changing when the broker was lost:
    it is not known which of them were changed.
    """

    in_doubt: tuple[int, ...] = ()


class BrokerUnreachableError(BrokerError):
    """No connection to the broker could be made."""


class BrokerTimeoutError(BrokerError, TimeoutError):
    """The broker did not answer in time."""


class ConnectionLostError(BrokerError):
    """The connection to the broker ended, or was closed after an invalid reply."""


class BrokerDrainingError(BrokerError):
    """The broker is in drain mode (SIGUSR1), and takes no new jobs."""


class BrokerOutOfMemoryError(BrokerError):
    """The broker has no memory left for the job, or no room on its disk."""


class ReservationLostError(BrokerError):
    """A job is no longer reserved for this worker, and another may run it."""


class IncompleteSearchError(JobQueueError, RuntimeError):
    """Not all jobs of a tube were found, as beanstalkd has no list of them.

    A server that has read a binlog does not say what its last job id is. Or another
    reader had some of the notes of failures that a search needs.
    """


class NoCurrentJobError(JobQueueError, LookupError):
    """There is no current job, as the calling code was not called by a worker."""


class EndlessJobsError(JobQueueError, RecursionError):
    """In a test, a job puts a job that puts a job, and so on without end.

    Raised by the fixtures and functions of :mod:`jobqueue.testing` alone.
    """


class JobStuckError(JobQueueError, RuntimeError):
    """A job did not stop at its time limit; only the end of the process stops it.

    :meth:`Worker.run <jobqueue.Worker.run>` raises this when all other jobs are done.
    """


class TimeLimitExceeded(BaseException):
    """A job has run for longer than its ``time_limit``.

    Raised inside the task, which may catch it to clean up, and has 5 seconds for that.
    It is no :class:`Exception`, so that no ``except Exception`` swallows it by mistake.

    An ``async`` task is cancelled instead, and sees ``asyncio.CancelledError``; this is
    the error that its job fails with. The guide's page about time limits says where one
    may strike.
    """
