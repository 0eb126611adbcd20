"""The options of a task: how its jobs are put, retried and limited, as one value."""

import enum
from datetime import datetime
from typing import Any, Final, NamedTuple, TypedDict, TypeVar, Unpack

from jobqueue.broker.checks import MAX_NUMBER, Delay, seconds_between, whole_seconds
from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import OptionError
from jobqueue.job.backoff import Backoff
from jobqueue.job.outcome import RetryOn, RetryPolicy


class Unset(enum.Enum):
    """The type of :data:`UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return self.name


UNSET: Final = Unset.UNSET
"""Sentinel for 'not passed', for options where None means something."""


class PassedOptions(TypedDict, total=False):
    """Each option of a task, with the types that it can be passed as.

    ``UNSET`` stands for an option that was not passed, or None for one that has no
    ``UNSET``. A test holds the signatures of the queue and the decorator equal to this.
    """

    delay: Delay | None
    at: datetime | None
    priority: int | None
    ttr: int | None
    retries: int | None
    retry_on: RetryOn | None
    backoff: Backoff | None
    max_kicks: int | Unset | None
    max_lost: int | Unset | None
    time_limit: float | Unset | None
    max_age: Delay | Unset | None


_NONE_MEANS_NO_LIMIT = {"max_kicks", "max_lost", "time_limit", "max_age"}

Part = TypeVar("Part", PutOptions, RetryPolicy)


class TaskOptions(NamedTuple):
    """How the jobs of a task are put and retried, and how long they may run."""

    put: PutOptions = PutOptions()
    policy: RetryPolicy = RetryPolicy()
    time_limit: float | None = None  # seconds; None: no limit of the task's own
    max_age: int | None = None  # seconds; None: no limit

    def merged(self, **options: Unpack[PassedOptions]) -> "TaskOptions":
        """Return these options, with those that are passed instead of their own.

        Raises :class:`~jobqueue.errors.OptionError` for an option of a wrong type or
        out of its range, and for ``delay`` together with ``at``.
        """
        passed: dict[str, Any] = {
            name: value
            for name, value in options.items()
            if value is not UNSET
            and (value is not None or name in _NONE_MEANS_NO_LIMIT)
        }
        if "delay" in passed:
            if "at" in passed:
                raise OptionError("give either delay or at, not both")
            delay = whole_seconds("delay", passed["delay"])
            passed |= {"delay": delay, "at": None}
        return TaskOptions(
            put=_replaced(self.put, passed),
            policy=_replaced(self.policy, passed),
            time_limit=check_time_limit(passed.get("time_limit", self.time_limit)),
            max_age=_check_max_age(passed.get("max_age", self.max_age)),
        )


def _replaced(part: Part, passed: dict[str, Any]) -> Part:
    """Return a part of the options with those passed; making it anew checks them."""
    own = {name: value for name, value in passed.items() if name in part._fields}
    return type(part)(**{**part._asdict(), **own})


def _check_max_age(value: Delay | None) -> int | None:
    if value is None:
        return None
    seconds = whole_seconds("max_age", value)
    if seconds:
        return seconds
    raise OptionError(f"max_age has to be None or more than 0 seconds, not {value!r}")


def check_time_limit(value: object) -> float | None:
    """Return a time limit: a number of seconds, or None for no limit.

    Raises :class:`~jobqueue.errors.OptionError` for anything else.
    """
    if value is None:
        return None
    seconds = seconds_between(0, value, MAX_NUMBER)
    if seconds:  # neither None nor 0
        return seconds
    raise OptionError(
        f"time_limit has to be None or more than 0 seconds, not {value!r}"
    )
