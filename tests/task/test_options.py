"""The options of a task: declared once, and merged in one way."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobqueue import JobQueue, OptionError, Putter
from jobqueue.broker.put_options import PutOptions
from jobqueue.job.outcome import RetryPolicy
from jobqueue.task.options import UNSET, PassedOptions, TaskOptions
from jobqueue.task.registry import subscriber

OPTIONS = set(PassedOptions.__annotations__)


def keywords(function: Callable[..., object]) -> set[str]:
    """Return the names of the keyword-only parameters."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}


def test_each_option_has_a_field() -> None:
    fields = {*PutOptions._fields, *RetryPolicy._fields, "time_limit", "max_age"}

    assert fields == OPTIONS


def test_signatures_have_each_option() -> None:
    of_others = {"name", "every", "cron", "tz", "late", "pile_up"}

    assert keywords(JobQueue.task) == OPTIONS | of_others
    assert keywords(JobQueue.__init__) - {"secret"} == OPTIONS - {"at"}
    assert keywords(Putter.options) == {*PutOptions._fields, "headers", "max_age"}


def test_each_passed_option_arrives() -> None:
    """What the decorator and the queue are given is what the task has."""
    expected: dict[str, Any] = {
        "delay": 1,
        "priority": 2,
        "ttr": 3,
        "retries": 4,
        "retry_on": (OSError,),
        "backoff": 5,
        "max_kicks": 6,
        "max_lost": 7,
        "time_limit": 8,
        "max_age": 9,
    }
    at = datetime.now(UTC)

    options = (
        JobQueue(**expected)._options,
        JobQueue.task("t", **expected)(print)._options,
        JobQueue.task("t", at=at)(print)._options,
    )

    for found in options[:2]:
        assert expected | {"at": None} == flat(found)
    assert flat(TaskOptions()) | {"at": at} == flat(options[2])


def flat(options: TaskOptions) -> dict[str, object]:
    """Return the options by name."""
    put, policy = options.put._asdict(), options.policy._asdict()
    return {
        **put,
        **policy,
        "time_limit": options.time_limit,
        "max_age": options.max_age,
    }


def test_precedence() -> None:
    """The decorator counts before the queue, and the queue before the default."""
    queue = JobQueue(
        retries=5, retry_on=OSError, backoff=7, max_kicks=None, time_limit=9, ttr=30
    )

    @queue.task("t")
    def as_queue() -> None: ...

    @queue.task(
        "t", retries=0, max_kicks=1, max_lost=None, time_limit=None, retry_on=[KeyError]
    )
    def other() -> None: ...

    first, second = subscriber.tasks(["t"])
    assert first.policy == RetryPolicy(5, (OSError,), 7, None, 3)
    assert second.policy == RetryPolicy(0, (KeyError,), 7, 1, None)
    assert (first.time_limit, second.time_limit) == (9, None)
    assert as_queue._options.put.ttr == 30
    assert as_queue.options(ttr=31)._options.put.ttr == 31
    assert other.options(priority=1)._options.put.ttr == 30


def test_what_is_not_passed_stays() -> None:
    options = TaskOptions().merged(
        delay=3, retries=2, max_kicks=None, max_lost=None, time_limit=5
    )

    assert options.merged() == options
    assert options.merged(delay=None, retries=None, time_limit=UNSET) == options
    assert options.merged(max_kicks=UNSET, max_lost=UNSET) == options


def test_none_is_a_value_of_limits() -> None:
    options = TaskOptions().merged(max_kicks=1, max_lost=1, time_limit=1)

    options = options.merged(max_kicks=None, max_lost=None, time_limit=None)

    assert (options.policy.max_kicks, options.policy.max_lost) == (None, None)
    assert options.time_limit is None


def test_delay_and_at_replace_each_other() -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    timed = TaskOptions().merged(delay=7).merged(at=at)

    assert 3500 < timed.put.delay_now() <= 3600
    assert timed.merged(delay=1.5).put.delay_now() == 2
    with pytest.raises(OptionError, match="either delay or at"):
        timed.merged(delay=1, at=at)
