"""QueueHooks: the functions of an application that are called for a queue's jobs."""

from typing import TYPE_CHECKING, TypeVar

from jobqueue.task.default_queue import DefaultQueueMethod

if TYPE_CHECKING:
    from jobqueue.job.context import Around, OnBuried
    from jobqueue.job.headers import BeforePut

H = TypeVar("H", bound="Around")
B = TypeVar("B", bound="OnBuried")
P = TypeVar("P", bound="BeforePut")


class QueueHooks:
    """The hooks of a queue, and the decorators that register them."""

    def __init__(self) -> None:
        self._around: list[Around] = []
        self._on_buried: list[OnBuried] = []
        self._before_put: list[BeforePut] = []

    @DefaultQueueMethod
    def before_put(self, function: P) -> P:
        """Have a function called for each job of the queue that is about to be put.

        It is called with a :class:`~jobqueue.NewJob`, and may add headers to it, which
        the task finds in ``current_job().headers``. It runs in the code that puts the
        job, once for each item of a ``put_many``, and in the event loop's thread for an
        ``aput``: so it should be quick. It is not called for a retry, which puts
        nothing, nor for a job that a schedule puts. An error of the function is raised
        to the code that puts, and the job is not put.

        Raises :class:`~jobqueue.errors.TaskDefinitionError` for anything but a
        function, and for an ``async`` one.

        >>> @queue.before_put
        ... def pass_on(job):
        ...     job.headers["request-id"] = request_id.get()
        """
        from jobqueue.task.signature import check_plain_hook  # noqa: PLC0415 - see there

        check_plain_hook(function, "before a put", "the job")
        self._before_put.append(function)
        return function

    @DefaultQueueMethod
    def around(self, hook: H) -> H:
        """Register a hook: a generator function to run around every job of the queue.

        A worker calls it with the :class:`~jobqueue.Job`. The hook yields once: what
        stands before the yield runs before the task, and what stands after it runs
        afterwards. The error of a task that fails is raised at the yield.

        Hooks nest: the one that was registered first is the outermost. If a hook raises
        an error of its own, the job fails with that. A hook can't make a failed job
        succeed: if it catches the error and raises none, the job still fails. Hooks run
        in the worker's thread for the job, also if the task is ``async``. Their time
        does not count towards the task's ``time_limit``, but each of the two parts of a
        hook may take as long by itself.

        Raises :class:`~jobqueue.errors.TaskDefinitionError` for anything but a
        generator function.

        >>> @queue.around
        ... def timed(job):
        ...     started = time.monotonic()
        ...     try:
        ...         yield
        ...     finally:
        ...         print(job.func_name, time.monotonic() - started)
        """
        from jobqueue.task.signature import check_hook  # noqa: PLC0415 - see there

        check_hook(hook)
        self._around.append(hook)
        return hook

    @DefaultQueueMethod
    def on_buried(self, function: B) -> B:
        """Have a function called for each job that is buried, or deleted for its kicks.

        A worker calls it with a :class:`~jobqueue.BuriedJob` and the error, in its own
        thread, so the function should be quick. An error of its own is only logged.

        >>> @queue.on_buried
        ... def tell(job, error):
        ...     print(job.func_name, "has failed for good:", error)
        """
        from jobqueue.task.signature import check_plain_hook  # noqa: PLC0415 - see there

        check_plain_hook(function, "for buried jobs", "the job", "the error")
        self._on_buried.append(function)
        return function
