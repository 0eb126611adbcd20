"""JobQueue: the address of a broker, and the decorator that makes tasks for it."""

import functools
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from types import FrameType
from typing import (
    TYPE_CHECKING,
    NoReturn,
    ParamSpec,
    Self,
    TypeVar,
)

from jobqueue.broker.checks import Delay
from jobqueue.broker.pool import ConnectionPool
from jobqueue.job.backoff import Backoff
from jobqueue.job.outcome import RetryOn
from jobqueue.job.signing import NO_PICKLE, Secret, Signing
from jobqueue.task.default_queue import DefaultQueueMethod
from jobqueue.task.definition import Task
from jobqueue.task.options import UNSET, TaskOptions, Unset
from jobqueue.task.plan import TaskPlan, periodic
from jobqueue.task.putter import Putter
from jobqueue.task.queue_hooks import QueueHooks
from jobqueue.task.registry import subscriber
from jobqueue.task.source import SourceLocation

if TYPE_CHECKING:
    from jobqueue.operating.operator import Operator

P = ParamSpec("P")
R = TypeVar("R")


class JobQueue(QueueHooks):
    """A beanstalkd, and the tasks whose jobs go through it.

    ``url`` is ``beanstalkd://host[:port]`` or ``unix:///path/to.sock``. Without one,
    the queue uses ``$BEANSTALKD_URL``, or else ``beanstalkd://127.0.0.1:11300``. The
    environment is read, and a connection is made, at the first put.

    A queue is safe to share between threads, and to use after a fork. Its connections
    stay open between puts; :meth:`close`, or the end of a ``with`` block, closes them.
    A copy of a queue is the queue itself. It can't be pickled, as a pickle would carry
    its secret in clear; its tasks can.

    With a ``secret``, jobs are signed, and workers bury those jobs of the queue's tasks
    that are not. A secret is a str or bytes, of at least 16 bytes. Several may be
    given, in a list or separated by whitespace: the first one signs, and each is
    accepted. Without a ``secret``, the queue uses ``$JOBQUEUE_SECRET``, which is read
    at the first put, and when a worker starts. If that is not set either, jobs are not
    signed.

    All other options are defaults for the tasks of the queue: see :meth:`task`.

    Raises :class:`~jobqueue.errors.BrokerURLError` for a malformed ``url``, and
    :class:`~jobqueue.errors.OptionError` for any other invalid option.

    >>> queue = JobQueue(retries=3)
    >>> @queue.task("emails")
    ... def send(to, subject): ...
    >>> send.put(to="ada@example.org", subject="Hello")
    1
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        secret: Secret | None = None,
        delay: Delay | None = None,
        priority: int | None = None,
        ttr: int | None = None,
        retries: int | None = None,
        retry_on: RetryOn | None = None,
        backoff: Backoff | None = None,
        max_kicks: int | Unset | None = UNSET,
        max_lost: int | Unset | None = UNSET,
        time_limit: float | None = None,
        max_age: Delay | None = None,
    ) -> None:
        super().__init__()
        self._url = url
        self._pool = ConnectionPool(url)
        self._signing = Signing(secret)
        self._options = TaskOptions().merged(
            delay=delay,
            priority=priority,
            ttr=ttr,
            retries=retries,
            retry_on=retry_on,
            backoff=backoff,
            max_kicks=max_kicks,
            max_lost=max_lost,
            time_limit=time_limit,
            max_age=max_age,
        )

    @classmethod
    @functools.cache
    def default(cls) -> Self:
        """Return the default queue, whose tasks are made by ``@JobQueue.task``."""
        return cls()

    @DefaultQueueMethod
    def task(
        self,
        tube: str,
        *,
        name: str | Iterable[str] | None = None,
        delay: Delay | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        ttr: int | None = None,
        retries: int | None = None,
        retry_on: RetryOn | None = None,
        backoff: Backoff | None = None,
        max_kicks: int | Unset | None = UNSET,
        max_lost: int | Unset | None = UNSET,
        time_limit: float | Unset | None = UNSET,
        max_age: Delay | Unset | None = UNSET,
        every: float | timedelta | None = None,
        cron: str | None = None,
        tz: str | None = None,
        late: float | timedelta | None = None,
        pile_up: bool = False,
    ) -> Callable[[Callable[P, R]], Putter[P, R]]:
        """Make a function a task, whose jobs go through a tube.

        Called on the class, as in ``@JobQueue.task("emails")``, it uses the default
        queue. An option that is not given has the queue's value, or else the default
        in parentheses.

        What jobs call the task:

        - ``name``: its name, if not that of its function; or several names. Jobs are
          put with the first, and run with any of them: so a task can be renamed while
          jobs with its old name wait.

        How a job is put; :meth:`Putter.options <jobqueue.Putter.options>` changes it
        for single puts:

        - ``delay``: the seconds until a worker may take the job, as an int, a float or
          a timedelta; rounded up to whole seconds (0).
        - ``at``: the same as a point in time, a datetime with a timezone.
        - ``priority``: from 0, the most urgent, to 4294967295 (65536).
        - ``ttr``: the seconds, at least 1, after which beanstalkd gives the job to
          another worker if the first one has frozen or is cut off (60). A task may run
          for longer: its worker extends the time while the task runs.

        What becomes of a job that fails:

        - ``retries``: how many times the job is tried again (0).
        - ``retry_on``: an exception class, or several; only these errors are retried
          (all).
        - ``backoff``: the pause before a retry, in seconds or as a timedelta, rounded
          up to whole seconds (0.1 is 1 s). A sequence of these has a pause for each
          retry, and its last one for all further retries. A function gets the number
          of the retry, from 1, and returns its pause. (At random up to 1 s, then 2 s,
          4 s, and so on up to an hour.)
        - ``max_kicks``: how many times an operator may kick the job after it was buried
          (3). Each kick grants the job all its limits again. If it fails after the last
          one, it is deleted, and its body is logged. None: it is buried each time.

        What stops a job that would do harm:

        - ``max_lost``: how many workers may crash, freeze or be killed while they have
          the job (3). Before the last run that this allows, the job is buried, and it
          is deleted if it then succeeds. 1: a job that was lost once never runs again.
          None: no limit.
        - ``time_limit``: for how many seconds a job may run. Then
          :class:`~jobqueue.errors.TimeLimitExceeded` is raised inside the task, or the
          task is cancelled if it is ``async``. None: no limit, unless the worker has
          one.
        - ``max_age``: how long a job may wait to begin, in seconds or as a timedelta,
          its delay not counted. A job that has waited for longer is deleted, and
          logged as a warning, with its body; one that was kicked runs all the same.
          Asking for its age takes a round trip to the broker. None: no limit.

        What makes the task periodic: its workers put its jobs by themselves, when they
        are due, without arguments and without a delay. At most one job at a time waits
        to begin.

        - ``every``: the whole seconds between two due times, as a number or a
          timedelta, counted from the beginning of 1970 in UTC: 300 is due at every full
          five minutes.
        - ``cron``: a cron expression instead, as in ``"0 7 * * MON-FRI"``; needs
          ``jobqueue[cron]``.
        - ``tz``: the time zone of ``cron``, as in ``"Europe/Berlin"`` (UTC).
        - ``late``: how late a job may be put, in seconds or as a timedelta: a due time
          that was missed for longer is skipped. None: if due times were missed while no
          worker was up, a job is put for the last of them.
        - ``pile_up``: put a job also while the last one still waits (False).

        Raises :class:`~jobqueue.errors.TubeNameError`, and
        :class:`~jobqueue.errors.OptionError` for an invalid option. The decorator
        raises :class:`~jobqueue.errors.TaskDefinitionError` for what can't be a task,
        and :class:`~jobqueue.errors.DuplicateTaskError` if the tube already has another
        task of this name.

        >>> @queue.task("emails", retries=3, retry_on=OSError, time_limit=30)
        ... def send(to, subject): ...
        """
        options = self._options.merged(
            delay=delay,
            at=at,
            priority=priority,
            ttr=ttr,
            retries=retries,
            retry_on=retry_on,
            backoff=backoff,
            max_kicks=max_kicks,
            max_lost=max_lost,
            time_limit=time_limit,
            max_age=max_age,
        )
        schedule = periodic(every, cron, tz, late, pile_up=pile_up)
        plan = TaskPlan.of(tube, name, options, schedule)

        def decorate(func: Callable[P, R]) -> Putter[P, R]:
            caller = sys._getframe(1)  # noqa: SLF001
            return self._register(func, plan, caller)

        return decorate

    def _register(
        self, func: Callable[P, R], plan: TaskPlan, caller: FrameType
    ) -> Putter[P, R]:
        """Make a function a task that is decorated where the frame ``caller`` is."""
        from jobqueue.task.signature import TaskSignature, innermost  # noqa: PLC0415 - see there

        signature = TaskSignature(func)
        func_name, *other_names = plan.names or (signature.func_name,)
        if plan.schedule is not None:
            signature.check_periodic()
        task = Task(
            tube=plan.tube,
            func_name=func_name,
            func=func,
            options=plan.options,
            broker_url=self._url,
            around=self._around,
            on_buried=self._on_buried,
            before_put=self._before_put,
            other_names=tuple(other_names),
            signing=self._signing,
            location=SourceLocation.of(caller, func, innermost(func)),
            schedule=plan.schedule,
        )
        putter = Putter(func, task, signature, self._pool)
        subscriber.register(task, putter)
        return putter

    @functools.cached_property
    def operator(self) -> "Operator":
        """What looks at the jobs of this queue's broker, and changes them.

        >>> queue.operator.kick(2)
        [2]
        """
        from jobqueue.operating.operator import Operator  # noqa: PLC0415 - most need none

        operator = Operator(self._url)
        operator.signing = self._signing
        return operator

    def close(self) -> None:
        """Close the open connections; a later put makes a new one."""
        self._pool.close()
        if "operator" in self.__dict__:
            self.operator.close()

    def __enter__(self) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: a pickle would carry the secret in clear."""
        raise TypeError(NO_PICKLE)

    def __copy__(self) -> Self:
        return self  # its tasks and connections belong to this one

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
