"""Putting jobs from an asyncio event loop."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from jobqueue import (
    ArgumentError,
    BrokerDrainingError,
    BrokerOutOfMemoryError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    ConnectionLostError,
    JobQueue,
    JobQueueError,
    JobTooBigError,
    Putter,
)
from jobqueue.broker import loop_connection
from jobqueue.broker.address import Address
from jobqueue.broker.loop_connection import LoopConnection
from jobqueue.broker.put_options import PutOptions
from tests.helpers.fake_broker import HANG_UP, SILENCE, Answer, FakeBroker, cut
from tests.helpers.paths import ROOT
from tests.helpers.refused_threads import refusing_threads
from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    eventually_true,
    free_port,
)

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

USING = b"USING t\r\n"
LOOPS = ["asyncio", *([] if sys.platform == "win32" else ["uvloop"])]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Return a function like `asyncio.run`, with either kind of event loop."""
    if request.param == "asyncio":
        return asyncio.run
    import uvloop  # noqa: PLC0415 - Windows has none

    return uvloop.run


def task_of(queue: JobQueue, tube: str = "t") -> Putter[[int], None]:
    @queue.task(tube)
    def task_one(n: int) -> None: ...

    return task_one


async def outcomes(*puts: Coroutine[Any, Any, int]) -> list[int | BaseException]:
    return await asyncio.gather(*puts, return_exceptions=True)


def kinds(found: list[int | BaseException]) -> set[type]:
    return {type(one) for one in found}


def test_ids_are_in_order(broker: Beanstalkd, queue: JobQueue, run: Run[None]) -> None:
    """Many puts share a connection and their writes, and each has its own id."""
    tasks = [task_of(queue, tube) for tube in ("a", "b", "c")]

    async def put() -> None:
        ids = await asyncio.gather(*(tasks[n % 3].aput(n) for n in range(3000)))
        assert ids == list(range(1, 3001))
        assert broker.connections() == 1

    run(put())

    for number, tube in enumerate(("a", "b", "c")):
        assert broker.counts(tube) == {"ready": 1000}
        with broker.client(tube) as client:
            assert client.peek_ready().id == number + 1
    eventually(broker.connections, 0)  # closed with its loop


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tcp(host: str, run: Run[int]) -> None:
    port = free_port()
    with (
        Beanstalkd(port),
        JobQueue(f"beanstalkd://{host}:{port}?timeout=5") as queue,
    ):
        assert run(task_of(queue).aput(1)) == 1


def test_large_jobs(broker: Beanstalkd, queue: JobQueue, run: Run[None]) -> None:
    """Puts that fill the buffers go on when the broker reads again."""

    @queue.task("t")
    def task_one(text: str) -> None: ...

    async def put() -> None:
        assert await task_one.aput("") == 1
        broker.signal(signal.SIGSTOP)
        puts = [asyncio.ensure_future(task_one.aput("x" * 60_000)) for _ in range(100)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        broker.signal(signal.SIGCONT)
        assert await asyncio.gather(*puts) == list(range(2, 102))

    run(put())


@pytest.mark.usefixtures("broker")
def test_no_thread_of_the_executor(queue: JobQueue, run: Run[None]) -> None:
    """A loop whose executor is all taken can put jobs, one and many."""
    task_one = task_of(queue)
    free = threading.Event()

    async def put() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as executor:
            loop.set_default_executor(executor)
            held = loop.run_in_executor(None, free.wait)
            try:
                assert await task_one.aput(0) == 1
                assert await task_one.aput_many([{"n": 1}, {"n": 2}]) == [2, 3]
            finally:
                free.set()
            await held

    run(put())


def test_silent_broker(broker: Beanstalkd, run: Run[None]) -> None:
    """All puts to a silent broker fail; when it answers again, so do puts."""
    with JobQueue(f"{broker.url}?timeout=0.5") as queue:
        task_one = task_of(queue)

        async def put() -> None:
            await task_one.aput(0)
            broker.signal(signal.SIGSTOP)
            found = await outcomes(*(task_one.aput(n) for n in range(60)))
            assert kinds(found) == {BrokerTimeoutError}
            broker.signal(signal.SIGCONT)
            assert await task_one.aput(1) > 1

        run(put())


def test_each_put_has_its_own_deadline(socket_folder: Path, run: Run[None]) -> None:
    """A put whose broker answers it in time is well, though one before it was not."""
    path = str(socket_folder / "late.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        async def puts() -> None:
            loop = asyncio.get_running_loop()
            retired: list[LoopConnection] = []
            connection = LoopConnection(Address(path), loop, retired.append)

            def put(seconds: float) -> asyncio.Future[int]:
                return connection.put("t", b"", PutOptions(), loop.time() + seconds)

            first = put(60)
            near, _ = await loop.run_in_executor(None, listener.accept)
            with near:
                await loop.run_in_executor(None, near.recv, 2**10)  # else it's no reply
                near.sendall(b"USING t\r\nINSERTED 1\r\n")
                assert await first == 1
                second, third = put(0.1), put(60)
                with pytest.raises(BrokerTimeoutError):
                    await second
                assert retired == [connection]
                near.sendall(b"INSERTED 2\r\nINSERTED 3\r\n")
                assert await third == 3

        run(puts())


def test_put_that_is_too_late_to_be_sent(broker: Beanstalkd, run: Run[None]) -> None:
    """It fails and is not sent, though a blocked loop can send it before it notices."""

    async def put() -> None:
        loop = asyncio.get_running_loop()
        connection = LoopConnection(Address.parse(broker.url), loop, lambda _: None)
        late = connection.put("t", b"", PutOptions(), loop.time())
        eventually_true(lambda: connection._socket._sockets)  # the loop is blocked
        connection.on_connected()
        with pytest.raises(BrokerTimeoutError):
            await late

    run(put())

    eventually(broker.connections, 0)
    assert broker.counts("t") == {}


def test_cancelled_put(broker: Beanstalkd, queue: JobQueue, run: Run[None]) -> None:
    """A cancelled put leaves the connection in order; what was sent is not undone."""
    task_one = task_of(queue)

    async def put_and_cancel() -> None:
        await task_one.aput(0)
        broker.signal(signal.SIGSTOP)
        puts = [asyncio.ensure_future(task_one.aput(n)) for n in range(1, 5)]
        await asyncio.sleep(0)  # each has begun
        await asyncio.sleep(0)  # and is sent
        puts.append(asyncio.ensure_future(task_one.aput(5)))
        for one in puts:
            one.cancel()  # the last one before it has begun
        await asyncio.wait(puts)
        assert all(one.cancelled() for one in puts)
        broker.signal(signal.SIGCONT)
        assert [await task_one.aput(n) for n in range(3)] == [6, 7, 8]
        assert broker.connections() == 1

    run(put_and_cancel())

    assert broker.counts("t") == {"ready": 8}


def test_put_cancelled_before_it_is_sent(
    broker: Beanstalkd, queue: JobQueue, run: Run[None]
) -> None:
    task_one = task_of(queue)

    async def put_and_cancel() -> None:
        put = asyncio.ensure_future(task_one.aput(0))
        await asyncio.sleep(0)  # it has begun, and waits for the connection
        put.cancel()
        assert await task_one.aput(1) == 1

    run(put_and_cancel())

    assert broker.counts("t") == {"ready": 1}


def test_puts_that_are_always_cancelled(broker: Beanstalkd, run: Run[None]) -> None:
    """A silent connection is given up, though no put waits for as long as it may."""
    with JobQueue(f"{broker.url}?timeout=0.5") as queue:
        task_one = task_of(queue)

        async def put() -> None:
            await task_one.aput(0)
            broker.signal(signal.SIGSTOP)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(task_one.aput(1), 0.05)
            await asyncio.sleep(0.6)
            broker.signal(signal.SIGCONT)
            assert await task_one.aput(2) == 3
            assert broker.connections() == 1

        run(put())


def test_errors(broker: Beanstalkd, queue: JobQueue, run: Run[None]) -> None:
    """The errors are those of put, word for word, and the connection stays."""
    task_one = task_of(queue)

    @queue.task("t")
    def large(text: str) -> None: ...

    def error_of(put: Callable[[], object], kind: type[Exception]) -> str:
        with pytest.raises(kind) as raised:
            put()
        return str(raised.value)

    async def put() -> None:
        too_big, fine, bigger = await outcomes(
            large.aput("x" * 70_000), task_one.aput(1), large.aput("x" * 70_001)
        )
        text = error_of(lambda: large.put("x" * 70_000), JobTooBigError)
        assert (str(too_big), fine) == (text, 1)
        assert isinstance(bigger, JobTooBigError)
        with pytest.raises(ArgumentError):
            await task_one.aput("n", 2)  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
        broker.drain()
        (draining,) = await outcomes(task_one.aput(2))
        text = error_of(lambda: task_one.put(2), BrokerDrainingError)
        assert str(draining) == text
        assert broker.connections() == 2  # one of put's, and one of aput's

    run(put())


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (b"BURIED 7\r\n", BrokerOutOfMemoryError, "buried the job at once, as 7"),
        (b"OUT_OF_MEMORY\r\n", BrokerOutOfMemoryError, "no room for its binlog"),
        (b"BAD_FORMAT\r\n", ConnectionLostError, "BadFormatError"),
        (b"INSERTED x\r\n", ConnectionLostError, "instead of a job's id"),
        (b"FOUND 1 2\r\n", ConnectionLostError, "makes no sense"),
        (b"INSERTED", BrokerTimeoutError, "did not answer in time"),
        (b"x" * 70_000, ConnectionLostError, "does not end"),
        (cut(b"INSERT"), ConnectionLostError, "closed"),
        (HANG_UP, ConnectionLostError, "closed"),
        (SILENCE, BrokerTimeoutError, "did not answer in time"),
    ],
)
def test_replies_that_are_none(
    socket_folder: Path, answer: Any, kind: type[Exception], text: str, run: Run[None]
) -> None:
    """A reply that makes no sense is an error, and ends the connection."""
    timeout = 0.3 if kind is BrokerTimeoutError else 5
    with (
        FakeBroker(socket_folder / "fake.sock") as fake,
        JobQueue(f"{fake.url}?timeout={timeout}") as queue,
    ):
        task_one = task_of(queue)
        fake.on(b"put", answer, b"INSERTED 9\r\n")

        async def put() -> None:
            (error,) = await outcomes(task_one.aput(1))
            assert isinstance(error, kind)
            assert text in str(error)

        run(put())


def test_fault_in_reading(
    broker: Beanstalkd,
    queue: JobQueue,
    run: Run[None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error of jobqueue's own is raised as it is, and the next put works."""
    task_one = task_of(queue)

    def fail(_word: bytes) -> int:
        raise AttributeError

    async def put() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(loop_connection, "id_of", fail)
            with pytest.raises(AttributeError):
                await task_one.aput(1)
        assert await task_one.aput(2) == 2

    run(put())
    assert broker.counts("t") == {"ready": 2}


def test_reply_to_no_command(socket_folder: Path, run: Run[None]) -> None:
    """A reply that nothing asked for ends the connection: what follows may be wrong."""
    with (
        FakeBroker(socket_folder / "fake.sock") as fake,
        JobQueue(fake.url) as queue,
    ):
        task_one = task_of(queue)
        fake.on(b"put", b"INSERTED 1\r\nINSERTED 2\r\n", b"INSERTED 9\r\n")

        async def put() -> None:
            assert await task_one.aput(1) == 1
            assert await task_one.aput(2) == 9

        run(put())

        names = [command.split()[0] for command in fake.received]
        assert names == [b"use", b"put", b"use", b"put"]


def test_unreachable_broker(socket_folder: Path, run: Run[None]) -> None:
    with JobQueue(f"unix://{socket_folder}/none.sock") as queue:
        task_one = task_of(queue)

        async def put() -> None:
            found = await outcomes(*(task_one.aput(n) for n in range(3)))
            assert kinds(found) == {BrokerUnreachableError}
            with pytest.raises(BrokerUnreachableError) as raised:
                task_one.put(1)
            assert {str(one) for one in found} == {str(raised.value)}

        run(put())


def test_host_that_does_not_answer(run: Run[None]) -> None:
    """A connection that can't be made in time is an error, as in put."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        target = server.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # the queue of the kernel is full
            filler.setblocking(False)
            filler.connect_ex(target)
        with JobQueue(f"beanstalkd://127.0.0.1:{target[1]}?timeout=0.3") as queue:
            task_one = task_of(queue)

            async def put() -> None:
                found = await outcomes(task_one.aput(1), task_one.aput(2))
                assert kinds(found) == {BrokerUnreachableError}

            run(put())
        for filler in fillers:
            filler.close()


def restart(broker: Beanstalkd) -> None:
    broker.kill()
    Path(str(broker.target)).unlink()
    broker.start()


def test_restarted_broker(broker: Beanstalkd, queue: JobQueue, run: Run[None]) -> None:
    """Puts on a connection that proves dead are put once more, over a new one."""
    task_one = task_of(queue)

    async def put() -> None:
        await task_one.aput(0)
        restart(broker)
        ids = await asyncio.gather(*(task_one.aput(n) for n in range(5)))
        assert ids == [1, 2, 3, 4, 5]
        assert broker.connections() == 1

    run(put())


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # A new connection takes what an idle one can't: it has hung up, or is silent.
        ([USING, USING, HANG_UP, USING], b"use put use put use use put"),
        # The question waits for half of the time-out, and the rest is for the put.
        ([USING, SILENCE, USING], b"use put use use put"),
    ],
    ids=["hung up", "silent"],
)
def test_idle_connection_is_asked_first(
    socket_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Run[None],
    answers: list[bytes | Answer],
    expected: bytes,
) -> None:
    monkeypatch.setattr(loop_connection, "ASK_AFTER", -1)
    with (
        FakeBroker(socket_folder / "fake.sock") as fake,
        JobQueue(f"{fake.url}?timeout=2") as queue,
    ):
        task_one = task_of(queue)
        fake.on(b"use", *answers).on(b"put", b"INSERTED 1\r\n")

        async def put() -> None:
            for n in range(expected.count(b"put")):
                await task_one.aput(n)

        run(put())

        names = [command.split()[0] for command in fake.received]
        assert names == expected.split()


def test_loops_in_turn(broker: Beanstalkd, queue: JobQueue, run: Run[int]) -> None:
    """Each loop has a connection of its own, which ends with it."""
    task_one = task_of(queue)

    assert [run(task_one.aput(n)) for n in range(5)] == [1, 2, 3, 4, 5]
    eventually(broker.connections, 0)


def test_loops_in_threads(broker: Beanstalkd, queue: JobQueue) -> None:
    task_one = task_of(queue)

    async def put() -> list[int]:
        return await asyncio.gather(*(task_one.aput(n) for n in range(100)))

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: asyncio.run(put()), range(16)))

    assert sorted(n for ids in found for n in ids) == list(range(1, 1601))
    eventually(broker.connections, 0)


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """A loop that can't watch sockets for others, as the default one of Windows."""

    add_reader = asyncio.AbstractEventLoop.add_reader


def test_loop_that_watches_no_sockets(broker: Beanstalkd, queue: JobQueue) -> None:
    task_one = task_of(queue)
    with asyncio.Runner(loop_factory=LoopWithoutReaders) as runner:
        assert runner.run(task_one.aput(1)) == 1
        assert runner.run(task_one.aput(2)) == 2
    assert broker.counts("t") == {"ready": 2}


def test_loop_closed_by_hand(broker: Beanstalkd, queue: JobQueue) -> None:
    """The connection of a loop that was only closed is closed with the queue."""
    task_one = task_of(queue)
    for number in (1, 2):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(task_one.aput(1)) == number
        loop.close()
        gc.collect()
        assert broker.connections() == 1

    queue.close()

    eventually(broker.connections, 0)


def test_queue_closed_while_no_loop_runs(broker: Beanstalkd, queue: JobQueue) -> None:
    task_one = task_of(queue)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(task_one.aput(1))

    queue.close()
    eventually(broker.connections, 0)

    assert loop.run_until_complete(task_one.aput(1)) == 2
    loop.close()


@pytest.mark.parametrize("in_thread", [True, False])
def test_queue_closed_while_a_loop_runs(
    broker: Beanstalkd, queue: JobQueue, in_thread: bool, run: Run[None]
) -> None:
    """Puts under way get their answers; the next one makes a new connection."""
    task_one = task_of(queue)

    async def put() -> None:
        await task_one.aput(0)
        broker.signal(signal.SIGSTOP)
        puts = [asyncio.ensure_future(task_one.aput(n)) for n in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if in_thread:
            await asyncio.to_thread(queue.close)
        else:
            queue.close()
        broker.signal(signal.SIGCONT)
        assert await asyncio.gather(*puts) == [2, 3, 4, 5, 6]
        await asyncio.to_thread(eventually, broker.connections, 0)
        assert await task_one.aput(6) == 7

    run(put())


def test_queue_that_is_dropped(broker: Beanstalkd, run: Run[None]) -> None:
    """A queue that nothing refers to leaves no connection in a running loop."""

    async def put() -> None:
        await JobQueue(broker.url).task("t")(abs_of).aput(1)
        forget_tasks()
        gc.collect()
        await asyncio.to_thread(eventually, broker.connections, 0)

    run(put())


def abs_of(n: int) -> int:
    return abs(n)


def forget_tasks() -> None:
    from jobqueue.task.registry import subscriber  # noqa: PLC0415

    subscriber._tubes.clear()


FORKING = """
import asyncio, os, sys
from jobqueue import JobQueue

queue = JobQueue(sys.argv[1])

@queue.task("t")
def task_one(n): ...

async def put():
    ids = [await task_one.aput(0)]
    child = os.fork()
    if not child:
        print(asyncio.run(task_one.aput(1)))
        queue.close()
        sys.stdout.flush()
        os._exit(0)  # not through the parent's loop
    assert os.waitpid(child, 0)[1] == 0, "the child has failed"
    ids.append(await task_one.aput(2))  # the loop still hears the broker
    print(ids)

asyncio.run(put())
"""


def test_fork(broker: Beanstalkd) -> None:
    """A child makes a connection of its own, and leaves its parent's alone."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKING, broker.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert (done.stdout, done.stderr) == ("2\n[1, 3]\n", "")
    eventually(broker.connections, 0)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_no_thread(
    broker: Beanstalkd, queue: JobQueue, error: type[Exception], run: Run[None]
) -> None:
    """Nothing is put without the thread that connects; the next put tries again."""
    task = task_of(queue)

    async def main() -> None:
        with refusing_threads("jobqueue-connect", "jobqueue-aput", error=error):
            with pytest.raises(BrokerUnreachableError, match="can't start new thread"):
                await task.aput(1)
            with pytest.raises(JobQueueError, match="nothing was put: the thread"):
                await task.aput_many([{"n": 2}])
        assert await task.aput(3) == 1

    run(main())
    assert broker.counts("t") == {"ready": 1}
