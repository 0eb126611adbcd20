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


def test_a_put_sends_exactly_the_three_keys(
    broker: Beanstalkd, queue: JobQueue
) -> None:
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


def test_puts_of_several_tubes_share_a_connection(
    broker: Beanstalkd, queue: JobQueue
) -> None:
    @queue.task("t")
    def one() -> None: ...

    @queue.task("u")
    def two() -> None: ...

    for task in (one, two, two, one):
        task.put()

    assert broker.counts("t") == {"ready": 2}
    assert broker.counts("u") == {"ready": 2}
    assert broker.connections() == 1


def test_nothing_is_connected_before_the_first_put_nor_after_close(
    broker: Beanstalkd,
) -> None:
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


def test_positional_arguments_become_names_and_defaults_stay_behind(
    broker: Beanstalkd, queue: JobQueue
) -> None:
    @queue.task("t")
    def task_one(self: int, a: int, b: int = 2, *, c: int = 3, **more: int) -> None: ...

    for job_id, expected in (
        (task_one.put(0, 1), {"self": 0, "a": 1}),
        (task_one.put(0, a=1, c=4), {"self": 0, "a": 1, "c": 4}),
        (task_one.put(0, 1, 2, d=5), {"self": 0, "a": 1, "b": 2, "d": 5}),
        (task_one.put(self=0, a=1), {"self": 0, "a": 1}),
    ):
        assert expected == kwargs_put(broker, job_id)


def test_arguments_that_do_not_fit_are_refused_at_the_put(
    broker: Beanstalkd, queue: JobQueue
) -> None:
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


def test_a_job_too_big_says_what_is_and_leaves_the_connection_in_use(
    broker: Beanstalkd, queue: JobQueue
) -> None:
    @queue.task("t")
    def task_one(x: str) -> None: ...

    with pytest.raises(
        JobTooBigError, match=r"1000053 bytes .* takes 65535 at most.*larger -z"
    ):
        task_one.put(x="x" * 10**6)
    task_one.put(x="x")

    assert broker.counts("t") == {"ready": 1}
    assert broker.connections() == 1


def test_a_broker_that_is_not_there_is_named_and_used_when_it_comes(
    socket_folder: Path,
) -> None:
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


def test_a_draining_broker_is_a_clear_error(
    broker: Beanstalkd, queue: JobQueue
) -> None:
    @queue.task("t")
    def task_one() -> None: ...

    task_one.put()
    broker.signal(signal.SIGUSR1)

    with broker.client() as client:
        eventually(lambda: client.stats()["draining"], "true")

    with pytest.raises(BrokerDrainingError, match="is draining"):
        task_one.put()


def test_a_broker_out_of_memory_is_a_clear_error_and_used_when_it_has_some(
    socket_folder: Path,
) -> None:
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


def test_a_job_that_the_broker_had_to_bury_at_once_is_a_clear_error(
    socket_folder: Path,
) -> None:
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


def test_a_frozen_broker_is_a_clear_error_and_used_when_it_thaws(
    broker: Beanstalkd,
) -> None:
    with JobQueue(f"{broker.url}?timeout=0.2") as queue:

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


def test_a_connection_that_died_while_idle_is_replaced(
    broker: Beanstalkd, queue: JobQueue
) -> None:
    @queue.task("t")
    def task_one() -> None: ...

    task_one.put()
    broker.kill()
    broker.start()

    assert task_one.put() == 1
    assert broker.counts("t") == {"ready": 1}


def test_options_apply_to_the_new_task_and_change_nothing_else(
    broker: Beanstalkd, queue: JobQueue
) -> None:
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
def test_wrong_options_are_refused_before_a_byte_is_sent(wrong: Any) -> None:
    @JobQueue.task("t")
    def task_one() -> None: ...

    with pytest.raises(OptionError):
        task_one.options(**wrong)
    with pytest.raises(OptionError):
        JobQueue.task("t", **wrong)


def test_many_are_put_in_order_and_the_connection_stays_in_use(
    broker: Beanstalkd, queue: JobQueue
) -> None:
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
def test_an_item_that_cannot_be_put_is_named_with_the_ids_of_the_others(
    broker: Beanstalkd, queue: JobQueue, bad: Any, cause: type[Exception]
) -> None:
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


def test_many_are_put_once_over_a_connection_that_died_while_idle(
    broker: Beanstalkd, queue: JobQueue
) -> None:
    @queue.task("t")
    def task_one(n: int) -> None: ...

    task_one.put(n=0)
    broker.kill()
    broker.start()

    assert task_one.put_many({"n": n} for n in range(3)) == [1, 2, 3]
