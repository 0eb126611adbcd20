"""The recipe for SQLAlchemy of recipes/transactions, run as it is printed."""

import gc
import itertools
import sqlite3
from collections.abc import Iterator

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from jobqueue import ArgumentError, BrokerError
from tests.helpers.servers import Beanstalkd
from tests.helpers.shop import Shop, count, take


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Orders:
    """A database of orders, each of which asks for a receipt through the recipe."""

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


def test_commit(orders: Orders, broker: Beanstalkd) -> None:
    with orders.session.begin() as session:
        orders.place(session)
        orders.place(session)
        assert count(broker) == 0

    assert list(take(broker).values()) == orders.stored() == [1, 2]


def test_job_first(orders: Orders, broker: Beanstalkd) -> None:
    """A job may be asked for before the transaction begins."""
    with orders.session() as session:
        orders.ask(session, 1)
        assert count(broker) == 0
        session.commit()

    assert list(take(broker).values()) == [1]


def test_transactions(orders: Orders, broker: Beanstalkd) -> None:
    """A session puts the jobs of each transaction once."""
    with orders.session() as session:
        for order in 1, 2, 3:
            orders.place(session)
            session.commit()
            assert list(take(broker).values()) == [order]
        session.commit()

    assert take(broker) == {}


@pytest.mark.parametrize("end", ["rollback", "close", "reset", "invalidate"])
def test_no_commit(orders: Orders, broker: Beanstalkd, end: str) -> None:
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


def test_savepoint(orders: Orders, broker: Beanstalkd) -> None:
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


def test_savepoint_rolled_back(orders: Orders, broker: Beanstalkd) -> None:
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


def test_failed_flush(orders: Orders, broker: Beanstalkd) -> None:
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


def test_keeps_nothing(orders: Orders, broker: Beanstalkd) -> None:
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


def test_broker_away(orders: Orders, broker: Beanstalkd) -> None:
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


def test_wrong_arguments(orders: Orders, broker: Beanstalkd) -> None:
    """The jobs after the wrong one are not put."""
    with orders.session() as session:
        orders.place(session)
        orders.recipe.put_after_commit(session, orders.task, order="a mistake")
        orders.place(session)
        with pytest.raises(ArgumentError):
            session.commit()

    assert list(take(broker).values()) == [1]
    assert orders.stored() == [1, 2]


STEPS = ["order", "savepoint", "release", "undo", "commit", "rollback", "close"]


@hypothesis.given(st.lists(st.sampled_from(STEPS), max_size=20))
@hypothesis.settings(
    max_examples=200,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_steps(orders: Orders, broker: Beanstalkd, steps: list[str]) -> None:
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
