"""run_jobs: runs jobs in the process, and the thread, of a test."""

from asyncio import CancelledError
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from types import NoneType

from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.redirection import Redirection
from jobqueue.broker.settlement import Buried, Outcome, Released
from jobqueue.errors import (
    BadJobError,
    BrokerError,
    JobQueueError,
    TimeLimitExceeded,
)
from jobqueue.job.body import decode
from jobqueue.job.decision import Decision, Ending
from jobqueue.task.registry import subscriber
from jobqueue.testing.eager import Eager
from jobqueue.testing.generations import Generations
from jobqueue.testing.redirect import redirected_to
from jobqueue.worker.processes.status_board import StatusBoard
from jobqueue.worker.reporting.burial_hooks import BurialHooks
from jobqueue.worker.reporting.job_log import JobLog
from jobqueue.worker.reporting.reporter import Listener, Reporter
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import (
    Call,
    Executor,
    FindTask,
    ReservedJob,
    Result,
)
from jobqueue.worker.running.time_limit import TimeLimits
from jobqueue.worker.settings import Timings, check_tubes
from jobqueue.worker.slots.admission import Admission, GuardState
from jobqueue.worker.slots.outage import Outage
from jobqueue.worker.slots.slot import Slot


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

    Raises :class:`~jobqueue.errors.EndlessJobsError` for a task that puts itself 1,000
    times in a row, without a delay, and a :class:`~jobqueue.errors.JobQueueError`
    inside of :func:`eager`, where no job waits to be run.

    Raises the errors of :class:`~jobqueue.Worker`, and
    :class:`~jobqueue.errors.BrokerError` if the broker does not answer. An exception
    that is meant for the test, as by Ctrl-C or ``pytest.fail``, is raised at once.

    >>> with beanstalkd() as url:
    ...     send.put(to="ada@example.org", subject="Hello")
    ...     [job.func_name for job in run_jobs(url)]
    1
    ['send']
    """
    destination = Redirection.destination
    if isinstance(destination, Eager):
        raise JobQueueError(
            "run_jobs finds no job: eager() is in effect, which runs each job at its "
            "put. Use one or the other"
        )
    if destination is None:
        return _run(url, tubes, None, reraise=reraise)
    generations = Generations(destination)
    with redirected_to(generations):
        return _run(url, tubes, generations, reraise=reraise)


def _run(
    url: str, tubes: Iterable[str], generations: Generations | None, *, reraise: bool
) -> list[RanJob]:
    address = Address.parse(url)
    watched = check_tubes(tubes)
    ran: list[RanJob] = []

    def connect() -> ConsumerConnection:
        return _Connection(address, fail)

    def fail() -> bool:
        """End the run, unless errors are only collected; return whether it ends."""
        if reraise:
            slot.stop()
        return reraise

    timings = Timings()
    reporter = _reporter(timings, _Notes(ran, fail))
    limits: TimeLimits[ReservedJob] = TimeLimits()
    with closing(limits), closing(EventLoop()) as event_loop:
        slot = Slot(
            connect,
            watched,
            executor=_Executor(
                subscriber.find_in(watched), limits, event_loop, generations
            ),
            admission=Admission(
                GuardState(timings), reporter, has_many_tubes=len(watched) > 1
            ),
            outage=_NoOutage(address, reporter, StatusBoard(1)),
            reporter=reporter,
            slot_status=StatusBoard(1).slot_statuses[0],
            on_job_begin=lambda: None,
            on_job_ran=lambda: None,
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


def _reporter(timings: Timings, notes: Listener) -> Reporter:
    hooks = BurialHooks(subscriber.tasks)
    return Reporter(JobLog(timings.time_limit_grace), notes, hooks)


# To a worker, anything that a task raises is a failure of the job. In a test, only
# these are; any other exception is meant for the test.
_OF_A_JOB = (NoneType, Exception, SystemExit, TimeLimitExceeded, CancelledError)


class _Executor(Executor):
    """An executor that raises the exceptions that are meant for the test."""

    def __init__(
        self,
        find: FindTask,
        limits: TimeLimits[ReservedJob],
        event_loop: EventLoop,
        generations: Generations | None,
    ) -> None:
        super().__init__(find, limits, event_loop)
        self._generations = generations

    def run(self, call: Call, reserved: ReservedJob) -> Result:
        if self._generations is None:
            return self._run(call, reserved)
        self._generations.begin(call.job.id, call.task.func_name)
        try:
            return self._run(call, reserved)
        finally:
            self._generations.end()

    def _run(self, call: Call, reserved: ReservedJob) -> Result:
        result = super().run(call, reserved)
        try:
            if not isinstance(result.error, _OF_A_JOB):
                raise result.error
            return result
        finally:
            del result  # its error refers to this frame: see Executor.run


class _Notes(Listener):
    """Notes each job that ran; a job that is deleted though it failed is a failure."""

    def __init__(self, ran: list[RanJob], fail: Callable[[], bool]) -> None:
        self._ran = ran
        self._fail = fail

    def job_ended(self, job: ReservedJob, result: Result, decision: Decision) -> None:
        if decision.ending is not Ending.EXPIRED:  # which has not run
            self._ran.append(_ran(job, result.error))

    def keep_body(
        self,
        job: ReservedJob,  # noqa: ARG002 - as the base has it
        result: Result,  # noqa: ARG002
        decision: Decision,  # noqa: ARG002
    ) -> bool:
        self._fail()
        return False


def _ran(job: ReservedJob, error: BaseException | None) -> RanJob:
    try:
        message = decode(job.body)
    except BadJobError:
        return RanJob(job.id, None, None, None, error)
    return RanJob(job.id, message.tube, message.func_name, message.kwargs, error)


class _Connection(ConsumerConnection):
    """A connection that releases retries without delay; a burial is a failure."""

    def __init__(self, address: Address, fail: Callable[[], bool]) -> None:
        super().__init__(address)
        self._fail = fail

    def settle(
        self, job_id: int, outcome: Outcome, *, reserve: int | None = None
    ) -> bool:
        if isinstance(outcome, Released):
            outcome = outcome._replace(delay=0)
        elif isinstance(outcome, Buried) and self._fail():
            reserve = None  # the next job stays ready, with no reservation counted
        return super().settle(job_id, outcome, reserve=reserve)


class _NoOutage(Outage):
    """Raises the error of a broker that is away, instead of waiting for it."""

    def begin(self, error: BrokerError) -> None:
        raise error
