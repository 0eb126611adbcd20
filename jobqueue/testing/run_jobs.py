"""run_jobs: runs jobs in the process, and the thread, of a test."""

from asyncio import CancelledError
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from types import NoneType

from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.outcomes import Outcome, Released
from jobqueue.errors import BadJobError, BrokerError, TimeLimitExceeded
from jobqueue.job.body import decode
from jobqueue.task.registry import subscriber
from jobqueue.worker.processes.status_board import StatusBoard
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Execution, Executor, FindTask, ReservedBody
from jobqueue.worker.running.time_limit import TimeLimits
from jobqueue.worker.settings import check_tubes
from jobqueue.worker.slots.admission import GuardState
from jobqueue.worker.slots.slot import Outage, Slot


@dataclass(frozen=True, slots=True)
class RanJob:
    """One run of a job, with the error that it ended with, or None.

    ``tube``, ``func_name`` and ``kwargs`` are None if the body is not a valid job.
    """

    id: int
    tube: str | None
    func_name: str | None
    kwargs: dict[str, object] | None
    error: BaseException | None


def run_jobs(
    url: str, tubes: Iterable[str] = (), *, reraise: bool = True
) -> list[RanJob]:
    """Run jobs until none is ready, and return those that ran, in order.

    ``url`` is the broker's, and ``tubes`` are names; without any, jobs of every tube
    that has a task run. Tasks run in the calling thread, so that they see an open
    transaction of the test; ``async`` tasks run on an event loop in another thread.
    Retries run without their pause. A job that was put with a delay is not run.

    If a job fails and has no retries left, its error is raised, and the jobs after it
    stay in their tubes. With ``reraise=False`` all jobs run, and the errors are in the
    result.

    Raises the errors of :class:`~jobqueue.Worker`, and
    :class:`~jobqueue.errors.BrokerError` if the broker does not answer. An exception
    that is meant for the test, as by Ctrl-C or ``pytest.fail``, is raised at once.

    >>> with beanstalkd() as url:
    ...     send.put(to="ada@example.org", subject="Hello")
    ...     [job.func_name for job in run_jobs(url)]
    1
    ['send']
    """
    address = Address.parse(url)
    watched = check_tubes(tubes)
    ran: list[RanJob] = []

    def connect() -> ConsumerConnection:
        return _Connection(address, ran, slot.stop if reraise else None)

    limits: TimeLimits[ReservedBody] = TimeLimits()
    with closing(limits), closing(EventLoop()) as event_loop:
        slot = Slot(
            connect,
            watched,
            _NotingExecutor(ran, subscriber.find_in(watched), limits, event_loop),
            _NoOutage(address),
            GuardState(),
            cell=StatusBoard(1).cells[0],
            on_job_begin=lambda: None,
            on_job_end=lambda: None,
            burst=True,
        )
        slot.run()
    failure = ran[-1].error if reraise and ran else None
    if failure is None:
        return ran
    ran.clear()  # the error refers to this frame: break the cycle
    try:
        raise failure
    finally:
        del failure


# To a worker, anything that a task raises is the job's failure. In a test, an exception
# that is none of these is meant for the test.
_OF_A_JOB = (NoneType, Exception, SystemExit, TimeLimitExceeded, CancelledError)


class _NotingExecutor(Executor):
    """An executor that keeps a list of what it has run."""

    def __init__(
        self,
        ran: list[RanJob],
        find: FindTask,
        limits: TimeLimits[ReservedBody],
        event_loop: EventLoop,
    ) -> None:
        super().__init__(find, limits, event_loop)
        self._ran = ran

    def execute(self, reserved: ReservedBody) -> Execution:
        execution = super().execute(reserved)
        if not isinstance(execution.error, _OF_A_JOB):
            raise execution.error
        self._ran.append(_ran(reserved, execution.error))
        try:
            return execution
        finally:
            del execution  # its error refers to this frame: see Executor.execute


def _ran(reserved: ReservedBody, error: BaseException | None) -> RanJob:
    try:
        message = decode(reserved.body)
    except BadJobError:
        return RanJob(reserved.id, None, None, None, error)
    return RanJob(reserved.id, message.tube, message.func_name, message.kwargs, error)


class _Connection(ConsumerConnection):
    """A connection that releases retries without delay, and may end the run."""

    def __init__(
        self,
        address: Address,
        ran: list[RanJob],
        stop: Callable[[], None] | None,
    ) -> None:
        super().__init__(address)
        self._ran = ran
        self._stop_at_failure = stop

    def settle(
        self, job_id: int, outcome: Outcome, *, reserve: int | None = None
    ) -> bool:
        if isinstance(outcome, Released):
            outcome = outcome._replace(delay=0)
        elif self._ran[-1].error is not None and self._stop_at_failure is not None:
            self._stop_at_failure()
            reserve = None  # the next job stays ready, with no reservation counted
        return super().settle(job_id, outcome, reserve=reserve)


class _NoOutage(Outage):
    """Raises the error of a broker that is away, instead of waiting for it."""

    def begins(self, error: BrokerError) -> None:
        raise error
