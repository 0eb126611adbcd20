"""The pages recipes/fastapi, recipes/flask and recipes/gunicorn, run as printed."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import flask
import httpx
import pytest
from fastapi.testclient import TestClient

from jobqueue.testing import run_jobs
from tests.helpers.pages import blocks
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, eventually_true
from tests.helpers.shop import Shop, take


@pytest.fixture
def api(shop: Shop) -> ModuleType:
    return shop.module("api")


def test_fastapi_request(api: ModuleType, broker: Beanstalkd) -> None:
    with TestClient(api.app) as client:
        answers = [client.post(f"/orders/{order}/receipt") for order in (7, 8)]

    assert [answer.status_code for answer in answers] == [202, 202]
    ids = [answer.json()["job_id"] for answer in answers]
    assert take(broker) == dict(zip(ids, (7, 8), strict=True))


def test_fastapi_wrong_request(api: ModuleType, broker: Beanstalkd) -> None:
    with TestClient(api.app) as client:
        answer = client.post("/orders/seven/receipt")

    assert answer.status_code == 422
    assert take(broker) == {}


def test_fastapi_shutdown(api: ModuleType, broker: Beanstalkd) -> None:
    for _ in range(2):
        with TestClient(api.app) as client:
            client.post("/orders/7/receipt")
            assert broker.connections() == 1
        eventually(broker.connections, 0)


def test_flask(shop: Shop, broker: Beanstalkd) -> None:
    client = shop.module("web").app.test_client()

    answers = [client.post(f"/orders/{order}/receipt") for order in (7, 8)]

    assert [answer.status_code for answer in answers] == [202, 202]
    ids = [answer.json["job_id"] for answer in answers]
    assert take(broker) == dict(zip(ids, (7, 8), strict=True))


def test_flask_context(shop: Shop, broker: Beanstalkd) -> None:
    """The task sees the application, and the context ends with the job."""
    worker = shop.module("worker")
    names = []

    def name() -> None:
        names.append(flask.current_app.name)

    worker.queue.task("names")(name).put()
    ran = run_jobs(broker.url, ["names"])

    assert [job.error for job in ran] == [None]
    assert names == ["shop.web"]
    assert not flask.has_app_context()


WORKERS = 4  # as the page has it
# With or without --preload, and for any application, some gevent workers of gunicorn do
# not end at SIGTERM before this time-out: seen with gunicorn 27.0 and gevent 26.9, and
# an application that does not import jobqueue.
GEVENT = ("--worker-class=gevent", "--graceful-timeout=3")


@contextmanager
def gunicorn(shop: Shop, listen: Path, *more: str) -> Iterator[httpx.Client]:
    """Serve the recipe through gunicorn as the page does, on a Unix socket.

    ``more`` are arguments that the page does not have.
    """
    (command,) = blocks("recipes/gunicorn", "sh")
    program, *arguments = [*command.split(), *more]
    log = shop.folder / "gunicorn.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", program, "--bind", f"unix:{listen}", *arguments],
            cwd=shop.folder,
            # Newer versions have a socket for commands there.
            env=os.environ | {"XDG_RUNTIME_DIR": str(listen.parent)},
            stdout=file,
            stderr=file,
        )

    def listening() -> bool:
        assert process.poll() is None, log.read_text()
        return "Listening at" in log.read_text()

    try:
        eventually_true(listening)
        transport = httpx.HTTPTransport(uds=str(listen))
        with httpx.Client(transport=transport, base_url="http://shop") as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.terminate()  # which takes the workers along
            process.wait(DEADLINE)


def test_gunicorn(shop: Shop, broker: Beanstalkd, socket_folder: Path) -> None:
    """No job is lost or put twice when gunicorn forks after a put."""
    orders: dict[int, int] = {}
    numbers = itertools.count(1)

    def work() -> int:
        """Send requests, many at once; return the number of connections after."""
        some = list(itertools.islice(numbers, 100))
        for order, answer in zip(some, threads.map(request, some), strict=True):
            assert answer.status_code == 202
            job_id = int(answer.text)
            assert job_id not in orders
            orders[job_id] = order
        return broker.connections()

    with (
        gunicorn(shop, socket_folder / "g.sock") as client,
        ThreadPoolExecutor(8) as threads,
    ):

        def request(order: int) -> httpx.Response:
            return client.get(f"/{order}", timeout=DEADLINE)

        # The master's own connection is not used any more, and each worker has one.
        eventually(work, 1 + WORKERS)

    eventually(broker.connections, 0)
    jobs = take(broker)
    (first,) = jobs.keys() - orders.keys()
    assert jobs == {first: 0} | orders


@pytest.mark.thorough
@pytest.mark.thorough
def test_gunicorn_with_gevent(
    shop: Shop, broker: Beanstalkd, socket_folder: Path
) -> None:
    """Its workers apply the monkey patch when jobqueue is imported already."""
    pytest.importorskip("gevent")
    with (
        gunicorn(shop, socket_folder / "g.sock", *GEVENT) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = list(
            threads.map(lambda n: client.get(f"/{n}", timeout=DEADLINE), range(1, 50))
        )

    assert {answer.status_code for answer in answers} == {202}
    ids = [int(answer.text) for answer in answers]
    jobs = take(broker)
    assert sorted(jobs.values()) == list(range(50))
    assert [jobs[job_id] for job_id in ids] == list(range(1, 50))
