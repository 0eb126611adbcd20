"""The README's recipes, run as they are printed."""

import gc
import importlib
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import greenstalk
import httpx
import hypothesis
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from jobqueue import ArgumentError, BrokerError
from tests.helpers.paths import ROOT
from tests.helpers.readme import blocks, write_printed
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, eventually_true
from tests.helpers.worker_process import write_module


class Shop:
    """The package `shop` that the recipes make up, in a folder of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for language, block in blocks("Recipes"):
            if language == "python":
                write_printed(block, folder)

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"shop.{name}")


@pytest.fixture
def shop(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    monkeypatch.syspath_prepend(tmp_path)
    yield Shop(tmp_path)
    if "shop.tasks" in sys.modules:
        sys.modules["shop.tasks"].queue.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def count(broker: Beanstalkd) -> int:
    return broker.counts("receipts").get("ready", 0)


def take(broker: Beanstalkd) -> dict[int, int]:
    """Take all jobs from the broker; return the orders that they are for, by id."""
    orders: dict[int, int] = {}
    with broker.client("receipts") as client:
        while True:
            try:
                job = client.reserve(timeout=0)
            except greenstalk.TimedOutError:
                return orders
            body = json.loads(job.body)
            assert body["func_name"] == "send_receipt"
            orders[job.id] = body["kwargs"]["order_id"]
            client.delete(job)


# Django's settings and models are a process's, so each of these tests has one.

MODELS = """
from django.db import models

class Order(models.Model):
    customer = models.TextField()
"""

DJANGO = """
import os, unittest
from functools import partial
from pathlib import Path
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.db import connection, transaction
from django.test import TestCase
from jobqueue import ArgumentError, BrokerError
from shop.models import Order
from shop.orders import place_order
from shop.tasks import send_receipt
from tests.helpers.servers import Beanstalkd
broker = Beanstalkd(Path(os.environ["BROKER"]))
def jobs():
    return broker.counts("receipts").get("ready", 0)
with connection.schema_editor() as editor:
    editor.create_model(Order)
"""


def run_django(shop: Shop, broker: Beanstalkd, script: str, **env: str) -> None:
    write_module(shop.folder, "shop.models", MODELS)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{DJANGO}{script}\nconnection.close()"],
        cwd=shop.folder,
        env=os.environ | {"BROKER": str(broker.target), "PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_django_commit(shop: Shop, broker: Beanstalkd) -> None:
    script = """
place_order("ada")
assert jobs() == 1
with transaction.atomic():
    place_order("bob")
    place_order("cleo")
    assert jobs() == 1
assert jobs() == 3
assert [order.pk for order in Order.objects.all()] == [1, 2, 3]
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [1, 2, 3]


def test_django_rollback(shop: Shop, broker: Beanstalkd) -> None:
    script = """
try:
    with transaction.atomic():
        place_order("ada")
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert not Order.objects.exists()
with transaction.atomic():
    place_order("bob")
    transaction.set_rollback(True)
assert not Order.objects.exists()
with transaction.atomic():
    pass
"""
    run_django(shop, broker, script)

    assert take(broker) == {}


def test_django_savepoint(shop: Shop, broker: Beanstalkd) -> None:
    script = """
with transaction.atomic():
    place_order("ada")
    try:
        with transaction.atomic():
            place_order("bob")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with transaction.atomic():
        Order.objects.create(pk=7, customer="cleo")
        transaction.on_commit(partial(send_receipt.put, order_id=7))
    assert jobs() == 0
assert [order.pk for order in Order.objects.all()] == [1, 7]
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [1, 7]


def test_django_test_case(shop: Shop, broker: Beanstalkd) -> None:
    script = """
class PlacingAnOrder(TestCase):
    def test(self):
        place_order("ada")
        assert jobs() == 0
        with self.captureOnCommitCallbacks(execute=True):
            place_order("bob")
            assert jobs() == 0
        assert jobs() == 1
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(PlacingAnOrder).run(result)
assert result.testsRun == 1 and result.wasSuccessful(), result.errors
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [2]


def test_django_broker_away(shop: Shop, broker: Beanstalkd) -> None:
    """The put raises after the commit."""
    script = """
try:
    place_order("ada")
except BrokerError:
    pass
else:
    raise AssertionError
assert Order.objects.count() == 1
"""
    run_django(shop, broker, script, BEANSTALKD_URL="unix:///nowhere/b.sock")


def test_django_wrong_arguments(shop: Shop, broker: Beanstalkd) -> None:
    """The jobs after the wrong one are not put."""
    script = """
try:
    with transaction.atomic():
        place_order("ada")
        transaction.on_commit(partial(send_receipt.put, order="a mistake"))
        place_order("bob")
except ArgumentError:
    pass
else:
    raise AssertionError
assert Order.objects.count() == 2
"""
    run_django(shop, broker, script)

    assert list(take(broker).values()) == [1]


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Orders:
    """A database whose orders ask for a receipt each, through the recipe."""

    def __init__(self, shop: Shop) -> None:
        self.engine = sa.create_engine("sqlite://")
        # For savepoints the driver must not begin transactions on its own:
        # see "Serializable isolation / Savepoints" in SQLAlchemy's page on SQLite.
        event.listen(self.engine, "connect", self._begin_nothing)
        event.listen(self.engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
        Base.metadata.create_all(self.engine)
        self.session = sessionmaker(self.engine)
        self.recipe = shop.module("after_commit")
        self.task = shop.module("tasks").send_receipt
        self._numbers = itertools.count(1)

    @staticmethod
    def _begin_nothing(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None

    def place(self, session: Session) -> None:
        order = Order(id=next(self._numbers))
        session.add(order)
        self.ask(session, order.id)
        session.flush()

    def ask(self, session: Session, order_id: int) -> None:
        self.recipe.put_after_commit(session, self.task, order_id=order_id)

    def stored(self) -> list[int]:
        with self.session() as session:
            return list(session.scalars(sa.select(Order.id).order_by(Order.id)))

    def close(self) -> None:
        event.remove(Session, "after_commit", self.recipe.hand_over)
        self.engine.dispose()


@pytest.fixture
def orders(shop: Shop) -> Iterator[Orders]:
    orders = Orders(shop)
    yield orders
    orders.close()


def test_sqlalchemy_commit(orders: Orders, broker: Beanstalkd) -> None:
    with orders.session.begin() as session:
        orders.place(session)
        orders.place(session)
        assert count(broker) == 0

    assert list(take(broker).values()) == orders.stored() == [1, 2]


def test_sqlalchemy_job_first(orders: Orders, broker: Beanstalkd) -> None:
    """A job may be asked for before the transaction begins."""
    with orders.session() as session:
        orders.ask(session, 1)
        assert count(broker) == 0
        session.commit()

    assert list(take(broker).values()) == [1]


def test_sqlalchemy_transactions(orders: Orders, broker: Beanstalkd) -> None:
    """A session puts the jobs of each transaction once."""
    with orders.session() as session:
        for order in 1, 2, 3:
            orders.place(session)
            session.commit()
            assert list(take(broker).values()) == [order]
        session.commit()

    assert take(broker) == {}


@pytest.mark.parametrize("end", ["rollback", "close", "reset", "invalidate"])
def test_sqlalchemy_no_commit(orders: Orders, broker: Beanstalkd, end: str) -> None:
    with orders.session() as session:
        orders.place(session)
        session.begin_nested()
        orders.place(session)
        getattr(session, end)()
        session.commit()
        if end == "invalidate":  # the database is in the connection's memory
            Base.metadata.create_all(orders.engine)
        orders.place(session)
        session.commit()

    assert list(take(broker).values()) == orders.stored() == [3]


def test_sqlalchemy_savepoint(orders: Orders, broker: Beanstalkd) -> None:
    """Its jobs are put or dropped with the transaction."""
    with orders.session() as session:
        for end in session.rollback, session.commit:
            with session.begin_nested():
                orders.place(session)
                with session.begin_nested():
                    orders.place(session)
            assert count(broker) == 0
            end()

    assert list(take(broker).values()) == orders.stored() == [3, 4]


def test_sqlalchemy_savepoint_rolled_back(orders: Orders, broker: Beanstalkd) -> None:
    """Only its own jobs are dropped."""
    with orders.session.begin() as session:
        orders.place(session)
        with session.begin_nested() as savepoint:
            orders.place(session)
            with session.begin_nested():
                orders.place(session)
            savepoint.rollback()
        orders.place(session)

    assert list(take(broker).values()) == orders.stored() == [1, 4]


def test_sqlalchemy_failed_flush(orders: Orders, broker: Beanstalkd) -> None:
    """It drops the jobs of the savepoint that it rolls back."""
    with orders.session() as session:
        orders.place(session)
        session.expunge_all()
        savepoint = session.begin_nested()
        orders.ask(session, 1)
        session.add(Order(id=1))
        with pytest.raises(sa.exc.IntegrityError):
            session.flush()
        savepoint.rollback()
        orders.place(session)
        session.commit()

    assert list(take(broker).values()) == orders.stored() == [1, 2]


STEPS = ["order", "savepoint", "release", "undo", "commit", "rollback", "close"]


@hypothesis.given(st.lists(st.sampled_from(STEPS), max_size=20))
@hypothesis.settings(
    max_examples=200,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_sqlalchemy_any_steps(
    orders: Orders, broker: Beanstalkd, steps: list[str]
) -> None:
    """Each order that is stored has its job, and no other has."""
    before = len(orders.stored())
    with orders.session() as session:
        for step in steps:
            savepoint = session.get_nested_transaction()
            match step:
                case "order":
                    orders.place(session)
                case "savepoint":
                    session.begin_nested()
                case "release" if savepoint:
                    savepoint.commit()
                case "undo" if savepoint:
                    savepoint.rollback()
                case "commit":
                    session.commit()
                case "rollback":
                    session.rollback()
                case "close":
                    session.close()

    assert list(take(broker).values()) == orders.stored()[before:]


def test_sqlalchemy_keeps_nothing(orders: Orders, broker: Beanstalkd) -> None:
    """Nothing is kept of transactions that have ended."""
    session = orders.session()
    for end in session.commit, session.rollback, session.close:
        orders.place(session)
        session.begin_nested()
        orders.place(session)
        end()
    gc.collect()

    assert len(orders.recipe.puts) == 0
    assert len(take(broker)) == 2


def test_sqlalchemy_broker_away(orders: Orders, broker: Beanstalkd) -> None:
    """The put raises after the commit."""
    broker.kill()
    session = orders.session()
    orders.place(session)
    with pytest.raises(BrokerError):
        session.commit()
    session.close()
    with pytest.raises(BrokerError), orders.session.begin() as other:
        orders.place(other)

    assert orders.stored() == [1, 2]
    orders.place(session)
    session.rollback()
    assert orders.stored() == [1, 2]
    session.close()


def test_sqlalchemy_wrong_arguments(orders: Orders, broker: Beanstalkd) -> None:
    """The jobs after the wrong one are not put."""
    with orders.session() as session:
        orders.place(session)
        orders.recipe.put_after_commit(session, orders.task, order="a mistake")
        orders.place(session)
        with pytest.raises(ArgumentError):
            session.commit()

    assert list(take(broker).values()) == [1]
    assert orders.stored() == [1, 2]


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


WORKERS = 4  # as the README has it


@contextmanager
def gunicorn(shop: Shop, listen: Path) -> Iterator[httpx.Client]:
    """Serve the recipe through gunicorn as the README does, on a Unix socket."""
    ((_, command),) = [block for block in blocks("Recipes") if block[0] == "sh"]
    program, *arguments = command.split()
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
