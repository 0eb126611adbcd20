"""Every public error and value goes through pickle and copy, whole."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import jobqueue
from jobqueue import (
    BadJobError,
    Job,
    JobQueue,
    NoCurrentJobError,
    PutManyError,
    Retry,
    TimeLimitExceeded,
)
from jobqueue.job.outcome import RetryPolicy
from jobqueue.task.options import UNSET, TaskOptions
from jobqueue.task.registry import subscriber
from jobqueue.testing import RanJob

ERRORS = [
    kind
    for name in jobqueue.__all__
    if isinstance(kind := getattr(jobqueue, name), type)
    and issubclass(kind, BaseException)
    and kind is not PutManyError
]


def by_pickle(protocol: int) -> Callable[[Any], Any]:
    def through(value: Any) -> Any:
        return pickle.loads(pickle.dumps(value, protocol))

    return through


WAYS = [
    copy.copy,
    copy.deepcopy,
    *map(by_pickle, range(pickle.HIGHEST_PROTOCOL + 1)),
]


@pytest.fixture(params=range(len(WAYS)))
def through(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    way: Callable[[Any], Any] = WAYS[request.param]
    return way


def test_errors(through: Callable[[Any], Any]) -> None:
    for kind in ERRORS:
        error = kind("what happened")
        error.add_note("a note")

        other = through(error)

        assert type(other) is kind
        assert (other.args, vars(other)) == (error.args, vars(error))


def test_retry(through: Callable[[Any], Any]) -> None:
    assert through(Retry("busy", delay=60)).delay == 60


def put_many_error(cause: BaseException | None) -> PutManyError:
    error = PutManyError("item 1", index=1, ids={0: 7}, unconfirmed=2)
    error.__cause__ = cause
    error.add_note("a note")
    return error


def test_put_many_error(through: Callable[[Any], Any]) -> None:
    error = put_many_error(BadJobError("why"))

    other = through(error)

    assert type(other) is PutManyError
    assert str(other) == "item 1"
    assert vars(other) == vars(error)
    assert isinstance(other.__cause__, BadJobError)
    assert str(other.__cause__) == "why"
    assert other.__suppress_context__


class SubclassedError(PutManyError):
    """An application's own class, of fewer arguments."""

    def __init__(self, page: int) -> None:
        super().__init__(f"page {page}", index=page, ids={})
        self.page = page


def test_subclass_of_put_many_error(through: Callable[[Any], Any]) -> None:
    other = through(SubclassedError(3))

    assert type(other) is SubclassedError
    assert (str(other), other.index, other.page) == ("page 3", 3, 3)


class NoPickleError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("can't pickle")


class NoUnpickleError(Exception):
    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


@pytest.mark.parametrize("cause", [NoPickleError(), NoUnpickleError(reason="x"), None])
def test_a_cause_that_stays_behind(cause: Exception | None) -> None:
    """A cause that pickle can't carry is left out: a pool would wait for ever."""
    error = put_many_error(cause)

    other = pickle.loads(pickle.dumps(error))

    assert other.__cause__ is None
    assert vars(other) == vars(error)
    assert copy.copy(error).__cause__ is cause


@pytest.mark.parametrize(
    "value",
    [
        RanJob(1, "t", "work", {"a": 1}, None),
        RetryPolicy(retries=3, retry_on=OSError, backoff=[1, 2]),
        TaskOptions().merged(delay=3, time_limit=5),
        UNSET,
    ],
)
def test_values(value: object, through: Callable[[Any], Any]) -> None:
    assert through(value) == value


def test_ran_job_with_an_error(through: Callable[[Any], Any]) -> None:
    other = through(RanJob(1, "t", "work", {}, TimeLimitExceeded("5 s")))

    assert type(other.error) is TimeLimitExceeded
    assert str(other.error) == "5 s"


class NoControl:
    def touch(self) -> bool:
        return True

    def stats(self) -> None: ...

    def retries_left(self) -> None: ...


def test_job(through: Callable[[Any], Any]) -> None:
    job = Job(1, "work", "t", {"a": 1}, NoControl())

    assert through(job) == job


def test_job_in_another_process() -> None:
    """Only the process that runs a job can ask the broker about it."""
    job = pickle.loads(pickle.dumps(Job(1, "work", "t", {"a": 1}, NoControl())))

    with pytest.raises(NoCurrentJobError, match=r"job 1 .* another process"):
        job.touch()
    with pytest.raises(NoCurrentJobError, match=r"job 1 .* another process"):
        assert job.attempt


SECRET = "0123456789abcdef"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_queue_is_not_pickled(protocol: int) -> None:
    """A pickle would carry the secret: of the queue, and of all that refers to it."""
    for queue in (JobQueue(), JobQueue(secret=SECRET)):
        queue.task("t")(print)
        for value in (queue, {"queue": queue}, subscriber.find("t", "print")):
            with pytest.raises(TypeError, match="Pass a task") as raised:
                pickle.dumps(value, protocol)
            assert SECRET not in str(raised.value)


def test_a_copy_of_a_queue_is_the_queue() -> None:
    """An application's settings may be copied, with the queue in them."""
    queue = JobQueue(secret=SECRET)

    assert copy.copy(queue) is queue
    assert copy.deepcopy({"queue": queue})["queue"] is queue
    assert copy.deepcopy(queue._signing) is copy.copy(queue._signing) is queue._signing
