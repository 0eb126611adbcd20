"""Puts: what arrives at the broker, and each error of a put."""

import json
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobqueue import (
    ArgumentError,
    BrokerDrainingError,
    BrokerOutOfMemoryError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    JobQueue,
    JobTooBigError,
    OptionError,
    PutManyError,
)
from tests.helpers.fake_broker import FakeBroker
from tests.helpers.servers import (
    REAL,
    Beanstalkd,
    eventually,
    free_port,
    require_beanstalkd,
)


def kwargs_put(broker: Beanstalkd, job_id: int) -> object:
    with broker.client() as client:
        return json.loads(client.peek(job_id).body)["kwargs"]


def test_body_of_a_put(broker: Beanstalkd, queue: JobQueue) -> None:
    """A put sends exactly the three keys, with the usual options."""

    @queue.task("task_tube_one")
    def task_one(arg1: str, arg2: str, arg3: str) -> None: ...

    job_id = task_one.put(arg1="a", arg2="b", arg3="ü")

    with broker.client("task_tube_one") as client:
        job = client.peek_ready()
    assert (job.id, job_id) == (1, 1)
    assert json.loads(job.body) == {
        "func_name": "task_one",
        "tube": "task_tube_one",
        "kwargs": {"arg1": "a", "arg2": "b", "arg3": "ü"},
    }
    stats = broker.stats_job(job_id)
    assert (stats["pri"], stats["delay"], stats["ttr"]) == (65536, 0, 60)


def test_tubes_share_a_connection(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def one() -> None: ...

    @queue.task("u")
    def two() -> None: ...

    for task in (one, two, two, one):
        task.put()

    assert broker.counts("t") == {"ready": 2}
    assert broker.counts("u") == {"ready": 2}
    assert broker.connections() == 1


def test_connects_at_the_first_put(broker: Beanstalkd) -> None:
    """Nothing is connected before the first put, nor after close()."""
    queue = JobQueue(broker.url)

    @queue.task("t")
    def task_one() -> None: ...

    assert broker.connections() == 0
    task_one.put()
    assert broker.connections() == 1
    queue.close()
    assert broker.connections() == 0
    task_one.put()
    assert broker.connections() == 1
    queue.close()


def test_arguments_travel_by_name(broker: Beanstalkd, queue: JobQueue) -> None:
    """Positional arguments get their names, and defaults are not sent."""

    @queue.task("t")
    def task_one(self: int, a: int, b: int = 2, *, c: int = 3, **more: int) -> None: ...

    for job_id, expected in (
        (task_one.put(0, 1), {"self": 0, "a": 1}),
        (task_one.put(0, a=1, c=4), {"self": 0, "a": 1, "c": 4}),
        (task_one.put(0, 1, 2, d=5), {"self": 0, "a": 1, "b": 2, "d": 5}),
        (task_one.put(self=0, a=1), {"self": 0, "a": 1}),
    ):
        assert expected == kwargs_put(broker, job_id)


def test_wrong_arguments(broker: Beanstalkd, queue: JobQueue) -> None:
    """Arguments that do not fit the function are refused at the put."""

    @queue.task("t")
    def task_one(a: int, *rest: int, b: int = 2) -> None: ...

    wrong: Any = task_one
    for args, kwargs, problem in (
        ((), {}, "task_one() missing a required argument: 'a'"),
        ((), {"b": 1}, "task_one() missing a required argument: 'a'"),
        ((), {"c": 1}, "task_one() got an unexpected keyword argument 'c'"),
        ((1,), {"c": 1}, "its arguments are task_one(a: int, *rest: int, b: int = 2)"),
        ((1,), {"a": 1}, "task_one() multiple values for argument 'a'"),
        ((1, 2), {}, "can't be put with positional arguments for 'rest'"),
    ):
        with pytest.raises(ArgumentError, match=re.escape(problem)):
            wrong.put(*args, **kwargs)
    with pytest.raises(ArgumentError, match="a is a set"):
        wrong.put(a={1})
    assert broker.counts("t") == {}
    assert broker.connections() == 0


@pytest.mark.parametrize("option", ["delay", "at", "priority", "ttr"])
def test_option_for_an_argument(queue: JobQueue, option: str) -> None:
    """The error says how to give an option to a put."""

    @queue.task("t")
    def task_one(a: int) -> None: ...

    wrong: Any = task_one
    with pytest.raises(ArgumentError) as raised:
        wrong.put(a=1, **{option: 5})

    hint = f"(an option of the put? Call task_one.options({option}=...).put(...))"
    assert hint in str(raised.value)


def test_argument_named_like_an_option(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def task_one(delay: int) -> None: ...

    assert kwargs_put(broker, task_one.put(delay=5)) == {"delay": 5}
    wrong: Any = task_one
    with pytest.raises(ArgumentError) as raised:
        wrong.put(delay=5, speed=1)
    assert "options(" not in str(raised.value)


def test_job_too_big(broker: Beanstalkd, queue: JobQueue) -> None:
    """The error says which size is allowed, and the connection stays in use."""

    @queue.task("t")
    def task_one(x: str) -> None: ...

    with pytest.raises(
        JobTooBigError, match=r"1000053 bytes .* takes 65535 at most.*larger -z"
    ):
        task_one.put(x="x" * 10**6)
    task_one.put(x="x")

    assert broker.counts("t") == {"ready": 1}
    assert broker.connections() == 1


def test_broker_away(socket_folder: Path) -> None:
    """A broker that is away is named in the error, and used as soon as it comes."""

    @JobQueue.task("t")
    def task_one() -> None: ...

    port = free_port()
    for broker in (Beanstalkd(socket_folder / "b.sock"), Beanstalkd(port)):
        with JobQueue(broker.url) as queue:
            putter = queue.task("t")(task_one.__wrapped__)
            with pytest.raises(BrokerUnreachableError, match=re.escape(broker.url)):
                putter.put()
            with broker:
                assert putter.put() == 1


def test_broker_draining(broker: Beanstalkd, queue: JobQueue) -> None:
    @queue.task("t")
    def task_one() -> None: ...

    task_one.put()
    broker.signal(signal.SIGUSR1)

    with broker.client() as client:
        eventually(lambda: client.stats()["draining"], "true")

    with pytest.raises(BrokerDrainingError, match="is draining"):
        task_one.put()


def test_broker_out_of_memory(socket_folder: Path) -> None:
    """A broker without memory is named, and used again when it has some."""
    require_beanstalkd()
    path, limit = socket_folder / "b.sock", 60 * 2**20
    broker = Beanstalkd(path, "-z", "100000000", program=REAL, memory_limit=limit)
    with broker, JobQueue(broker.url) as queue:

        @queue.task("t")
        def task_one(x: str) -> None: ...

        large = "x" * 40_000_000
        first = task_one.put(x=large)
        with pytest.raises(
            BrokerOutOfMemoryError,
            match=re.escape(f"{broker.url} did not take the job: it is out of memory"),
        ):
            task_one.put(x=large)
        with pytest.raises(PutManyError, match=r"item 1 was not put .* out of memory"):
            task_one.put_many([{"x": "1"}, {"x": large}])
        assert broker.connections() == 1
        with broker.client() as client:
            client.delete(first)
        task_one.put(x=large)


def test_job_buried_at_the_put(socket_folder: Path) -> None:
    """A job that the broker had to bury at once is an error of memory."""
    fake = FakeBroker(socket_folder / "s")
    fake.on(b"put", b"BURIED 7\r\n", b"INSERTED 8\r\n")
    with fake, JobQueue(fake.url) as queue:

        @queue.task("t")
        def task_one() -> None: ...

        with pytest.raises(
            BrokerOutOfMemoryError, match="buried the job at once, as 7"
        ):
            task_one.put()
        assert task_one.put() == 8


def test_broker_frozen(broker: Beanstalkd) -> None:
    """A frozen broker is a time-out, and is used again when it answers."""
    with JobQueue(f"{broker.url}?timeout=1") as queue:

        @queue.task("t")
        def task_one() -> None: ...

        task_one.put()
        broker.signal(signal.SIGSTOP)
        with pytest.raises(BrokerTimeoutError, match="did not answer in time"):
            task_one.put()
        with pytest.raises(BrokerTimeoutError, match="did not answer in time"):
            task_one.put_many([{}])
        broker.signal(signal.SIGCONT)

        task_one.put()


def test_dead_idle_connection(broker: Beanstalkd, queue: JobQueue) -> None:
    """A connection that died while it was idle is replaced."""

    @queue.task("t")
    def task_one() -> None: ...

    task_one.put()
    broker.kill()
    broker.start()

    assert task_one.put() == 1
    assert broker.counts("t") == {"ready": 1}


def test_options(broker: Beanstalkd, queue: JobQueue) -> None:
    """options() changes a copy of the task, and only what it is given."""

    @queue.task("t", priority=5, ttr=7)
    def task_one() -> None: ...

    other = task_one.options(delay=1.5, priority=0)
    soon = datetime.now(UTC) + timedelta(seconds=90)
    at = other.options(at=soon)

    for task, expected in (
        (task_one, (5, 0, 7)),
        (other, (0, 2, 7)),
        (other.options(delay=timedelta(minutes=1), ttr=1), (0, 60, 1)),
        (at.options(delay=0), (0, 0, 7)),
    ):
        stats = broker.stats_job(task.put())
        assert expected == (stats["pri"], stats["delay"], stats["ttr"])
    assert 80 < broker.stats_job(at.put())["delay"] <= 90


@pytest.mark.parametrize(
    "wrong",
    [
        {"delay": -1},
        {"delay": True},
        {"delay": float("nan")},
        {"delay": 2**32},
        {"delay": timedelta(seconds=-1)},
        {"delay": 1, "at": datetime.now(UTC)},
        {"at": datetime(2030, 1, 1)},  # noqa: DTZ001 - naive on purpose
        {"at": datetime.max.replace(tzinfo=UTC)},
        {"priority": -1},
        {"priority": 2**32},
        {"priority": 1.0},
        {"ttr": 0},
        {"ttr": True},
    ],
)
def test_wrong_options(wrong: Any) -> None:
    """Wrong options are refused before a byte is sent."""

    @JobQueue.task("t")
    def task_one() -> None: ...

    with pytest.raises(OptionError):
        task_one.options(**wrong)
    with pytest.raises(OptionError):
        JobQueue.task("t", **wrong)


def test_put_many(broker: Beanstalkd, queue: JobQueue) -> None:
    """Many jobs are put in order, over the connection that stays in use."""

    @queue.task("t")
    def task_one(n: int, text: str = "") -> None: ...

    # Large enough to fill the buffers of both sides many times over.
    ids = task_one.put_many({"n": n, "text": "x" * 20_000} for n in range(2000))

    assert ids == list(range(1, 2001))
    assert broker.counts("t") == {"ready": 2000}
    assert kwargs_put(broker, 777) == {"n": 776, "text": "x" * 20_000}
    assert task_one.put_many([]) == []
    assert task_one.put(n=1) == 2001
    assert broker.connections() == 1


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        ({"n": {1}}, ArgumentError),
        ({"m": 1}, ArgumentError),
        (1, ArgumentError),
        ({"n": "x" * 70_000}, JobTooBigError),
    ],
)
def test_wrong_item(
    broker: Beanstalkd, queue: JobQueue, bad: Any, cause: type[Exception]
) -> None:
    """The error of an item has its number, and the ids of the jobs put."""

    @queue.task("t")
    def task_one(n: int) -> None: ...

    items: list[Any] = [{"n": n} for n in range(1200)]
    items[700] = bad
    with pytest.raises(PutManyError, match="item 700 was not put") as raised:
        task_one.put_many(items)

    error = raised.value
    assert (error.index, error.unconfirmed) == (700, 0)
    assert isinstance(error.__cause__, cause)
    assert error.ids.keys() >= set(range(700))
    assert 700 not in error.ids
    assert broker.counts("t") == {"ready": len(error.ids)}
    task_one.put(n=1)


def test_put_many_after_a_restart(broker: Beanstalkd, queue: JobQueue) -> None:
    """Many jobs are put once if the idle connection has died."""

    @queue.task("t")
    def task_one(n: int) -> None: ...

    task_one.put(n=0)
    broker.kill()
    broker.start()

    assert task_one.put_many({"n": n} for n in range(3)) == [1, 2, 3]
