"""The one rule that decides what becomes of a failed job, and what it depends on."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Self

from jobqueue.broker.checks import Delay, whole_number, whole_seconds
from jobqueue.broker.settlement import Buried, Deleted, Outcome, Released
from jobqueue.errors import BadJobError, CrashLoopError, OptionError
from jobqueue.job.backoff import (
    Backoff,
    check_backoff,
    exponential,
    pause,
    random_fraction,
)
from jobqueue.job.groups import errors_in

if TYPE_CHECKING:
    from jobqueue.broker.stats import JobStats

KICKS_REACH_MAX = "Kicks reach max"
_LONGEST_DEFERRAL = 256  # seconds

RetryOn = type[BaseException] | Iterable[type[BaseException]]


class Retry(Exception):  # noqa: N818 - a task says `raise Retry(delay=60)`
    """Raised by a task: try this job again, if it has retries left.

    The ``reason`` is logged. ``delay`` is the pause before the retry: a number of
    seconds or a timedelta, rounded up to whole seconds; without one, the task's
    ``backoff`` says it. If no retries are left (by default there are none), the job has
    failed as with any other error.

    Raises :class:`~jobqueue.errors.OptionError` for an invalid delay.

    >>> raise Retry("too many requests", delay=60)
    """

    def __init__(self, reason: str = "", /, *, delay: Delay | None = None) -> None:
        super().__init__(reason)
        self.delay = None if delay is None else whole_seconds("delay", delay)

    def __str__(self) -> str:
        return str(self.args[0])


class Bury(Exception):  # noqa: N818 - a task says `raise Bury("why")`
    """Raised by a task: bury this job now, whatever retries are left; log the reason.

    Neither this nor :class:`Retry` is a :class:`~jobqueue.errors.JobQueueError`. So a
    task that catches those, for example around a put, does not catch its own decision.
    In an exception group they count as well, and the sternest of its errors decides.

    >>> raise Bury("the account is closed")
    """


class RunLater(Exception):  # noqa: N818 - a decision, like the two above
    """Raised by the worker: release this job for a moment, as it can't run now.

    The ``reason`` goes on from the task's name, as in "can't run now, as ...". With
    ``is_fault`` something of the machine's is missing, and the log warns of it.
    """

    def __init__(self, reason: str, /, *, is_fault: bool = False) -> None:
        super().__init__(reason)
        self.is_fault = is_fault


class _Fields(NamedTuple):
    retries: int
    retry_on: tuple[type[BaseException], ...]
    backoff: Backoff
    max_kicks: int | None  # None: any number
    max_lost: int | None  # None: any number


class RetryPolicy(_Fields):
    """When a failed job is tried again, and when it is given up; always valid."""

    __slots__ = ()

    def __new__(
        cls,
        retries: int = 0,
        retry_on: RetryOn = (BaseException,),
        backoff: Backoff = exponential,
        max_kicks: int | None = 3,
        max_lost: int | None = 3,
    ) -> Self:
        """Raise :class:`~jobqueue.errors.OptionError` for an invalid value."""
        check_backoff(backoff)
        return super().__new__(
            cls,
            whole_number("retries", retries, most=None),
            _classes(retry_on),
            backoff,
            _count_or_none("max_kicks", max_kicks, least=0),
            _count_or_none("max_lost", max_lost, least=1),
        )

    def retries_left(self, stats: "JobStats") -> int:
        """Return how many retries a job has left."""
        return max(0, self.retries * stats.allowances - stats.releases)

    def check_lost(self, stats: "JobStats") -> None:
        """Raise CrashLoopError for a job that must not run again, as it was lost.

        That is a job with ``max_lost=1``. With a larger limit no job is refused: a
        worker that was lost may have had the job waiting, and never begun to run it. So
        the last run that the limit allows is made while the job is buried.
        """
        if self.max_lost == 1 and stats.lost >= stats.allowances:
            raise crash_loop(stats)

    def is_last_chance(self, stats: "JobStats") -> bool:
        """Return whether a job was lost so often that it may run only once more."""
        return self._spare_losses(stats) <= 0

    def is_buried_first(self, stats: "JobStats") -> bool:
        """Return whether a job has to be buried before it runs for the last time.

        If it succeeds, it is deleted; if it kills its worker, it stays buried. A job
        that has retries left could not be released then. So it has another chance.
        """
        return self._spare_losses(stats) <= (-1 if self.retries_left(stats) else 0)

    def _spare_losses(self, stats: "JobStats") -> float:
        """Return how many more losses there may be before the last run."""
        if self.max_lost is None or self.max_lost == 1:
            return math.inf
        # The last run before each kick is no loss: the burial is its outcome.
        return (self.max_lost - 1) * stats.allowances - stats.lost


def crash_loop(stats: "JobStats") -> CrashLoopError:
    """Return the error that says why a job is buried for its losses."""
    times = "once" if stats.lost == 1 else f"{stats.lost} times"
    return CrashLoopError(
        f"its worker was lost {times} while it had the job: killed, crashed, frozen, "
        "or cut off from the broker"
    )


def decide(error: BaseException, stats: "JobStats", policy: RetryPolicy) -> Outcome:
    """Return what becomes of a job that failed.

    A job that can't be run, or whose task raised :class:`Bury`, is buried whatever its
    history. After any other failure the job is released to be tried again, if it has
    retries left, and the error is one of ``retry_on``, or :class:`Retry`. If not, the
    job is buried, or deleted if it has already been kicked ``max_kicks`` times.

    An exception group counts as the errors in it, of which the sternest decides: one
    :class:`Bury` buries the job; else one :class:`Retry` has it tried again, after the
    longest delay of all; else each of the errors has to be one of ``retry_on``, or the
    group itself.

    Each kick grants all limits anew. Raises whatever a ``backoff`` function raises.
    """
    errors = list(errors_in(error))
    # Of types, as isinstance() would run code of the errors' own classes.
    if any(issubclass(type(found), BadJobError | Bury) for found in errors):
        return Buried(stats.priority)
    if issubclass(type(error), RunLater):
        return Released(stats.priority, _deferral(stats))
    retries = [found for found in errors if issubclass(type(found), Retry)]
    is_retried = retries or _is_one_of(policy.retry_on, error, errors)
    if is_retried and policy.retries_left(stats):
        return Released(stats.priority, _delay(retries, stats, policy))
    if policy.max_kicks is not None and stats.kicks >= policy.max_kicks:
        return Deleted()
    return Buried(stats.priority)


def _deferral(stats: "JobStats") -> int:
    """Return the delay of a job deferred because another holds the last-chance lock."""
    longest: int = min(2 ** min(stats.releases + 1, 10), _LONGEST_DEFERRAL)
    return round(longest / 2 * (1 + random_fraction()))


def _is_one_of(
    classes: tuple[type[BaseException], ...],
    error: BaseException,
    errors: Iterable[BaseException],
) -> bool:
    """Return whether a failure, or each error in the group that it is, has a class."""
    is_whole = issubclass(type(error), classes)
    return is_whole or all(issubclass(type(found), classes) for found in errors)


def _delay(
    errors: Iterable[BaseException], stats: "JobStats", policy: RetryPolicy
) -> int:
    given = [error.delay for error in errors if isinstance(error, Retry)]
    delays = [delay for delay in given if delay is not None]
    if delays:
        return max(delays)
    used_before_kick = policy.retries * stats.kicks  # or fewer, if it was kicked early
    return pause(policy.backoff, max(0, stats.releases - used_before_kick) + 1)


def _classes(given: RetryOn) -> tuple[type[BaseException], ...]:
    kinds: Iterable[object]  # not yet checked, whatever the type promises
    kinds = given if isinstance(given, Iterable) else (given,)
    return tuple(_exception_class(kind, given) for kind in kinds)


def _exception_class(kind: object, given: object) -> type[BaseException]:
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return kind
    raise OptionError(f"retry_on takes exception classes, not {given!r}")


def _count_or_none(name: str, value: object, *, least: int) -> int | None:
    if value is None:
        return None
    expected = "None or a whole number"
    return whole_number(name, value, least=least, most=None, expected=expected)
