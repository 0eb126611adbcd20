"""Anything at all as a body, an argument, an option, a URL or a reply."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobqueue import (
    ArgumentError,
    BrokerDrainingError,
    BrokerError,
    BrokerOutOfMemoryError,
    JobQueue,
    JobTooBigError,
    OptionError,
    PutManyError,
    TubeNameError,
    Worker,
)
from jobqueue.broker.address import Address
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.settlement import DONE, Buried, Released
from jobqueue.broker.stats import JobStats
from jobqueue.errors import BrokerURLError
from jobqueue.task.options import TaskOptions
from tests.helpers.connections import FullConnection
from tests.helpers.raw_client import RawClient
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.worker_thread import with_timings, working

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=5,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
near_jobs = st.fixed_dictionaries(
    {},
    optional={
        "func_name": st.just("work") | json_values,
        "tube": st.just("t") | json_values,
        "kwargs": st.dictionaries(st.just("a") | st.text(), json_values) | json_values,
        "more": json_values,
    },
)
bodies = (
    st.binary(max_size=500)
    | st.text().map(lambda text: text.encode(errors="surrogatepass"))
    | (json_values | near_jobs).map(lambda value: json.dumps(value).encode())
    | st.integers(1, 20_000).map(lambda depth: b"[" * depth)
)


def test_any_body(broker: Beanstalkd, queue: JobQueue) -> None:
    """Each job runs or is buried, and the worker goes on."""
    ran = []

    @queue.task("t")
    def work(a: Any = None) -> None:
        ran.append(a)

    put = []
    with RawClient(broker.target) as client:
        client.ask(b"use t")

        @settings(max_examples=150)
        @given(bodies)
        def put_one(body: bytes) -> None:
            put.append(client.put(body))

        put_one()
    work.put(a="the last")
    with working(Worker()):
        eventually_true(lambda: "the last" in ran)
        eventually_true(lambda: broker.counts("t").keys() <= {"buried"})

    assert len(put) + 1 == len(ran) + broker.counts("t").get("buried", 0)


def test_any_arguments(broker: Beanstalkd, queue: JobQueue) -> None:
    """They arrive as JSON has them, or are refused."""
    arrived: list[Any] = []

    @queue.task("t")
    def work(**kwargs: Any) -> None:
        arrived.append(kwargs)

    expected = []

    @given(st.dictionaries(st.text(), anything, max_size=4))
    def put(kwargs: dict[str, Any]) -> None:
        with suppress(ArgumentError, JobTooBigError):
            work.put(**kwargs)
            expected.append(json.loads(json.dumps(kwargs)))

    put()
    Worker(burst=True).run()
    assert arrived == expected
    assert broker.counts("t") == {}


def test_any_items(broker: Beanstalkd, queue: JobQueue) -> None:
    """They are put, or the error says which of them were put."""
    task = queue.task("t")(work)
    put = 0

    @given(st.lists(st.fixed_dictionaries({"a": anything}) | anything) | anything)
    def put_many(items: Any) -> None:
        nonlocal put
        try:
            put += len(task.put_many(items))
        except PutManyError as error:
            put += len(error.ids)
        except ArgumentError:
            pass

    put_many()
    assert broker.counts("t").get("ready", 0) == put


def work(a: Any = None) -> None: ...


pieces = st.sampled_from(["\r\n", "\n", "\r", "\0", " ", "delete 1", "quit", "-", "t"])
texts = st.text() | st.lists(pieces).map("".join)


def test_any_tube(broker: Beanstalkd, queue: JobQueue) -> None:
    """It is taken or refused, and no text smuggles in a command."""
    with broker.client("victims") as client:
        victim = client.put(b"victim")

    @given(texts)
    def put(tube: str) -> None:
        with suppress(TubeNameError):
            queue.task(tube)(work).put()
            assert broker.counts(tube) == {"ready": 1}
            with broker.client(tube) as client:
                client.delete(client.reserve(0))

    put()
    assert broker.stats_job(victim)["state"] == "ready"


@given(
    texts, st.sampled_from(["", "beanstalkd://", "beanstalkd://h:", "unix:///", "?"])
)
def test_any_url(text: str, scheme: str) -> None:
    with suppress(BrokerURLError):
        address = Address.parse(scheme + text)
        assert Address.parse(str(address)).target == address.target
        if isinstance(address.target, str):
            with pytest.raises(BrokerError):
                FullConnection(address)


moments = st.datetimes(timezones=st.none() | st.timezones()) | st.timedeltas()
PUT = ["delay", "at", "priority", "ttr"]
RUN = ["retries", "retry_on", "backoff", "max_kicks", "max_lost", "time_limit"]


@given(st.dictionaries(st.sampled_from(PUT), anything | moments))
def test_any_put_options(
    options: dict[str, Any],
) -> None:
    with suppress(OptionError):
        taken = TaskOptions().merged(**options).put
        for number in (taken.delay_now(), taken.priority, taken.ttr - 1):
            assert number in range(2**32)


@given(st.dictionaries(st.sampled_from(PUT + RUN), anything | moments))
def test_any_task_options(options: dict[str, Any]) -> None:
    with suppress(OptionError):
        JobQueue("beanstalkd://127.0.0.1:1").task("t", **options)(work)


words = st.sampled_from(
    [
        *(b"INSERTED", b"RESERVED", b"OK", b"DELETED", b"BURIED", b"RELEASED"),
        *(b"TOUCHED", b"USING", b"WATCHING", b"NOT_FOUND", b"TIMED_OUT", b"DRAINING"),
        *(b"OUT_OF_MEMORY", b"JOB_TOO_BIG", b"INTERNAL_ERROR", b"BAD_FORMAT"),
        *(b" ", b" 1", b" -1", b" 0", b" 7", b" 1_0", b" 99999999999999999999"),
        *(
            b"\r\n",
            b"\r\n",
            b"\r\n",
            b"\n",
            b"---\n",
            b"- t\n",
            b"pri: 1\n",
            b"a: -1\n",
        ),
    ]
)
STATS = (
    b"---\nid: 7\ntube: t\nstate: reserved\npri: 7\ndelay: 0\nttr: 60\nreserves: 1\n"
    b"releases: 0\nburies: 0\nkicks: 0\n"
)
BODY = b'{"func_name":"work","tube":"t","kwargs":{}}'
good = st.sampled_from(
    [
        *(b"INSERTED 7\r\n", b"USING t\r\n", b"WATCHING 1\r\n", b"OK 6\r\n- t\n\n\r\n"),
        *(b"DELETED\r\n", b"BURIED\r\n", b"RELEASED\r\n", b"TOUCHED\r\n"),
        b"OK %d\r\n%b\r\n" % (len(STATS), STATS),
        b"RESERVED 7 %d\r\n%b\r\n" % (len(BODY), BODY),
    ]
)
replies = st.lists(words, max_size=8).map(b"".join) | st.binary(max_size=99) | good


MOMENT = 0.005  # seconds


class AnyBroker:
    """A server that sends its replies, one for each write of the client, and hangs up.

    It hangs up, too, if it receives nothing for a moment.
    """

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.replies: list[bytes] = []
        self.talks = 0
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                client.settimeout(MOMENT)
                with client, suppress(OSError):
                    self._talk(client)
                self.talks += 1

    def _talk(self, client: socket.socket) -> None:
        for reply in self.replies:
            if not client.recv(2**16):
                return
            client.sendall(reply)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def any_broker(socket_folder: Path) -> Iterator[AnyBroker]:
    with AnyBroker(socket_folder / "any.sock") as any_broker:
        yield any_broker


def is_id(value: object) -> bool:
    return isinstance(value, int) and 0 < value < 2**64


def is_job(value: tuple[int, bytes] | None) -> bool:
    return value is None or is_id(value[0])


def are_stats(value: JobStats | None) -> bool:
    return value is None or min(value.priority, value.ttr, value.reserves) >= 0


# How to call each method, and whether what it has returned can be.
ASK: dict[str, Callable[[FullConnection], object]] = {
    "put": lambda c: is_id(c.put("t", b"", PutOptions())),
    "put_many": lambda c: all(map(is_id, c.put_many("t", [b""] * 3, PutOptions()))),
    "watch_only": lambda c: [c.watch_only(["t"])],  # type: ignore[func-returns-value]
    "reserve": lambda c: is_job(c.reserve(0)),
    "touch": lambda c: c.touch(7) in {True, False},
    "stats_job": lambda c: are_stats(c.stats_job(7)),
    "delete": lambda c: c.settle(7, DONE) in {True, False},
    "bury": lambda c: c.settle(7, Buried(1)) in {True, False},
    "release": lambda c: c.settle(7, Released(1, 1)) in {True, False},
}


@pytest.mark.parametrize("method", ASK)
def test_any_reply(any_broker: AnyBroker, method: str) -> None:
    """It is a good one, or the connection is closed."""
    ids: list[int] = []

    @given(st.lists(replies, max_size=4))
    def talk(replies: list[bytes]) -> None:
        any_broker.replies = replies
        with FullConnection(Address.parse(any_broker.url)) as connection:
            try:
                assert ASK[method](connection)
            except PutManyError as error:
                ids.extend(error.ids.values())
            except (BrokerDrainingError, BrokerOutOfMemoryError, JobTooBigError):
                pass
            except BrokerError:
                assert not connection.is_open

    talk()
    assert all(map(is_id, ids))


def test_any_reply_to_a_worker(any_broker: AnyBroker) -> None:
    """No reply ends the worker."""
    scripts = []

    @settings(max_examples=150)
    @given(st.lists(replies, max_size=8))
    def collect(script: list[bytes]) -> None:
        scripts.append(script)

    collect()  # before a worker runs, as Hypothesis is not for several threads
    JobQueue(any_broker.url).task("t")(work)
    watched = [b"OK 6\r\n- t\n\n\r\n"]
    worker = with_timings(
        Worker(), first_reconnect_pause=0.001, longest_reconnect_pause=0.001
    )
    ended = threading.Event()

    def run() -> None:
        worker.run()
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()

    try:
        for script in scripts:
            any_broker.replies = watched + script
            any_broker.talks = 0
            eventually_true(lambda: any_broker.talks > 1 or ended.is_set())
            assert not ended.is_set(), script
    finally:
        worker.stop()
        thread.join()
