"""Enums and the numbers of other libraries are taken, or refused, everywhere alike."""

import enum
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from jobqueue import (
    ArgumentError,
    JobQueue,
    OptionError,
    Retry,
    TubeNameError,
    Worker,
)
from jobqueue.broker.checks import check_id, check_tube
from jobqueue.job.body import Encoder
from jobqueue.testing import eager, run_jobs
from tests.helpers.numbers import FRACTIONAL, WHOLE, Float32, Int64, Timedelta64
from tests.helpers.servers import Beanstalkd


class Tube(str, enum.Enum):  # noqa: UP042 - it is not the same
    EMAILS = "emails"


class NewTube(enum.StrEnum):
    EMAILS = "emails"


def put_option(name: str) -> Callable[[Any], object]:
    def of(value: Any) -> object:
        options = JobQueue().task("t")(print).options(**{name: value})._options.put
        return getattr(options, name)

    return of


def policy(name: str) -> Callable[[Any], object]:
    def of(value: Any) -> object:
        task = JobQueue().task("t", **{name: value})(print)
        return getattr(task._options.policy, name)

    return of


def setting(name: str) -> Callable[[Any], object]:
    def of(value: Any) -> object:
        JobQueue().task("t")(print)
        return getattr(Worker(**{name: value}).settings, name)

    return of


COUNTS: dict[str, Callable[[Any], object]] = {
    "priority": put_option("priority"),
    "ttr": put_option("ttr"),
    "retries": policy("retries"),
    "max_kicks": policy("max_kicks"),
    "max_lost": policy("max_lost"),
    "threads": setting("threads"),
    "max_jobs": setting("max_jobs"),
    "a job's id": check_id,
}
SECONDS: dict[str, Callable[[Any], object]] = {
    "delay": put_option("delay"),
    "time_limit": setting("time_limit"),
    "time_limit of a task": lambda value: (
        JobQueue().task("t", time_limit=value)(print)._options.time_limit
    ),
    "shutdown_timeout": setting("shutdown_timeout"),
    "delay of a Retry": lambda value: Retry(delay=value).delay,
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    """A count is a whole number, of whatever class; it is an int from then on."""
    for number in WHOLE:
        found = COUNTS[name](number)
        assert (found, type(found)) == (2, int)
    for wrong in (*FRACTIONAL, 2.0, Decimal(2), Fraction(2), Timedelta64(), True, "2"):
        with pytest.raises(OptionError, match=rf"{name} has to be"):
            COUNTS[name](wrong)


@pytest.mark.parametrize("name", SECONDS)
def test_seconds(name: str) -> None:
    """A number of seconds may be any number."""
    for number in (*WHOLE, *FRACTIONAL):
        found = SECONDS[name](number)
        assert found == 2
        assert type(found) in {int, float}
    for wrong in (Decimal(2), Fraction(2), Timedelta64(), True, "2", float("nan")):
        with pytest.raises(OptionError, match=rf"{name.partition(' ')[0]} has to be"):
            SECONDS[name](wrong)


def test_backoff() -> None:
    for number in (*WHOLE, *FRACTIONAL):
        for backoff in (number, [1, number], [timedelta(seconds=1), number]):
            JobQueue().task("t", backoff=backoff)
    wrong: Any
    for wrong in (Decimal(2), Timedelta64(), True, [True]):
        with pytest.raises(OptionError, match="backoff"):
            JobQueue().task("t", backoff=wrong)


def encoded(value: Any) -> Any:
    return json.loads(Encoder("f", "t").encode({"x": value, "y": 1}))["kwargs"]["x"]


def test_arguments() -> None:
    """A number in an argument is that number, however deep it is, and as a key."""
    for number in (*WHOLE, *FRACTIONAL):
        assert encoded(number) == 2
        assert encoded([{"a": (number,)}]) == [{"a": [2]}]
    assert encoded({Int64(): Int64(3)}) == {"2": 3}
    assert encoded(NewTube.EMAILS) == encoded(Tube.EMAILS) == "emails"
    assert encoded({Tube.EMAILS: 1}) == {"emails": 1}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (Timedelta64(), "x is a Timedelta64"),
        (Fraction(1, 3), "x is a Fraction"),
        ([Int64(), Decimal(1)], r"x\[1\] is a Decimal"),
        (Float32(float("nan")), "x is nan"),
        ({Int64(): {1}}, "is a set"),
        (enum.Enum("Colour", "RED").RED, "x is a Colour"),  # type: ignore[attr-defined]
        (type("bool", (), {"__module__": "numpy"})(), "x is a numpy.bool"),
    ],
)
def test_no_numbers(value: Any, problem: str) -> None:
    with pytest.raises(ArgumentError, match=problem):
        encoded(value)


@pytest.mark.parametrize("tube", [Tube.EMAILS, NewTube.EMAILS])
def test_tubes(broker: Beanstalkd, tube: Any) -> None:
    """An enum's member is the tube of its value, by that name everywhere."""
    with JobQueue(broker.url) as queue:

        @queue.task(tube)
        def send() -> None: ...

        send.put()
    assert broker.counts("emails") == {"ready": 1}
    assert repr(send) == "<task send in tube emails>"
    assert type(check_tube(tube)) is str
    assert Worker([tube]).settings.tubes == ("emails",)
    assert [job.tube for job in run_jobs(broker.url, [tube])] == ["emails"]


def test_no_tube() -> None:
    """The name of a member is not its value."""

    class Other(enum.Enum):
        EMAILS = "emails"

    wrong: Any = Other.EMAILS
    with pytest.raises(TubeNameError):
        JobQueue().task(wrong)


def test_an_enum_of_an_application_in_eager_mode() -> None:
    got: list[object] = []

    @JobQueue().task("t")
    def work(level: object) -> None:
        got.append((level, type(level)))

    with eager():
        for number in WHOLE:
            work.put(number)
    assert got == [(2, int)] * 3
