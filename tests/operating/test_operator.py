"""Operator: from any thread and process, over any break of the connection."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobqueue import (
    JobQueue,
    JobStats,
    Operator,
    OptionError,
    TubeNameError,
    Worker,
)
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import body, put, put_buried


@pytest.fixture
def operator(broker: Beanstalkd) -> Iterator[Operator]:
    with Operator(broker.url) as operator:
        yield operator


def test_of_a_queue(broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once, reads the environment late, and closes with the queue."""
    queue = JobQueue()
    operator = queue.operator
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)

    with queue:
        assert queue.operator is operator
        assert [tube.tube for tube in operator.tubes()] == ["default"]
        assert broker.connections() == 1

    assert broker.connections() == 0


def test_jobs_by_state_and_filter(operator: Operator, broker: Beanstalkd) -> None:
    buried = put_buried(broker, 3)
    ready = put(broker, 2)
    odd = broker.put(b'{"func_name":"f","tube":"t","kwargs":{"a":["\\u00e9"]}}')
    raw = broker.put(b"\xff\xe9")

    def ids(
        *states: str, func_name: str | None = None, containing: str | None = None
    ) -> list[int]:
        jobs = operator.jobs("t", *states, func_name=func_name, containing=containing)
        return sorted(job.id for job in jobs)

    assert ids("buried") == buried
    assert ids("ready", "buried", "ready") == [*buried, *ready, odd, raw]
    assert ids(func_name="send") == buried + ready
    assert ids("ready", func_name="send", containing='"n": 1') == ready[1:]
    assert ids(containing="\xe9") == [odd]
    assert ids(containing="\\xe9") == [raw]
    assert ids(func_name="other") == []
    assert [job.func_name for job in operator.jobs("t", containing="\\xff")] == [None]


def test_changes_while_jobs_come(operator: Operator, broker: Beanstalkd) -> None:
    """Another connection serves what a loop over jobs does to them."""
    ids = put_buried(broker, 5)

    kicked = [operator.kick(job.id) for job in operator.jobs("t", "buried")]

    assert sorted(kicked) == [[job_id] for job_id in ids]
    assert broker.connections() == 2


def test_loop_that_is_left(operator: Operator, broker: Beanstalkd) -> None:
    """The replies still to come are taken for those of no later request."""
    put(broker, 700)

    found = [next(operator.jobs("t")).id for _ in range(3)]

    assert found == [1, 1, 1]
    assert operator.job(700) is not None


def test_steps(operator: Operator, broker: Beanstalkd) -> None:
    put_buried(broker, 30)
    seen: list[JobStats] = []

    assert operator.kick_all("t", count=10, on_step=seen.extend) == 10
    assert operator.clear("t", "ready", count=4, on_step=seen.extend) == 4
    assert operator.clear("t", "ready", on_step=seen.extend) == 6
    assert operator.kick_all("t") == 20
    assert [job.kicks for job in seen] == [0] * 10 + [1] * 10
    assert operator.clear("t") == 0
    assert broker.counts("t") == {"ready": 20}


def test_no_such_tube(operator: Operator) -> None:
    assert operator.tube("t") is None
    assert operator.tubes("t", "default")[0].tube == "default"
    assert list(operator.jobs("t")) == []
    assert operator.kick_all("t") == 0
    assert operator.clear("t", "buried") == 0
    assert not operator.pause("t", 1)


def test_wrong_use(operator: Operator, broker: Beanstalkd) -> None:
    """It is an error at the call, before anything is sent."""
    put(broker)
    with pytest.raises(OptionError, match=r"'lost' is not a valid .*ready, delayed"):
        operator.jobs("t", "lost")
    with pytest.raises(OptionError):
        operator.clear("t", "all")
    with pytest.raises(OptionError):
        operator.kick(1, 0)
    with pytest.raises(OptionError):
        operator.delete(1, -1)
    with pytest.raises(OptionError):
        operator.kick_all("t", count=-1)
    with pytest.raises(TubeNameError):
        operator.jobs("a b")
    assert broker.counts("t") == {"ready": 1}


def test_broker_that_restarts(
    operator: Operator, broker: Beanstalkd, socket_folder: Path
) -> None:
    """A connection that has ended meanwhile is no error."""
    assert operator.server().pid
    broker.kill()
    (socket_folder / "b.sock").unlink(missing_ok=True)
    broker.start()
    put(broker)

    assert operator.delete(1) == [1]


def test_threads(operator: Operator, broker: Beanstalkd) -> None:
    ids = put(broker, 40)
    found: list[int] = []

    def look() -> None:
        for job_id in ids:
            job = operator.job(job_id)
            assert job is not None
            found.append(job.id)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == sorted(ids * 8)
    assert broker.connections() <= 4


def test_fork(operator: Operator, broker: Beanstalkd) -> None:
    """A child's requests go over a connection of its own."""
    put(broker)
    first = operator.job(1)
    child = os.fork()
    if not child:
        os._exit(operator.delete(1) != [1])
    _, status = os.waitpid(child, 0)

    assert first is not None
    assert first.body == body()
    assert status == 0
    assert operator.job(1) is None


def test_put_by_name(operator: Operator, broker: Beanstalkd) -> None:
    """It is signed with the secret of the queue, and checked before it is sent."""
    secret = "0123456789abcdef"
    queue = JobQueue(broker.url, secret=secret)
    ran = []

    @queue.task("t")
    def work(n: int) -> None:
        ran.append(n)

    with queue:
        queue.operator.put("t", "work", {"n": 1})
    with pytest.raises(OptionError, match="'no name' is not the name of a task"):
        operator.put("t", "no name")
    with pytest.raises(TubeNameError):
        operator.put("jobqueue.failures/t", "work")
    Worker(burst=True).run()

    assert ran == [1]


def test_sample(operator: Operator, broker: Beanstalkd) -> None:
    put(broker, 2)
    put_buried(broker, 1)

    sample = operator.sample()

    assert (sample.tubes["t"].ready, sample.server.buried) == (2, 1)
    assert [job.tube for job in operator.next_ready("t", "default")] == ["t"]
