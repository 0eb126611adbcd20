"""The orders, in SQLite."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple


class Order(NamedTuple):
    """How many loaves a customer wants."""

    customer: str
    loaves: int


def add(order: Order) -> int:
    """Store an order, and return its id."""
    with _database() as db:
        done = db.execute("INSERT INTO orders VALUES (?, ?)", order)
        return done.lastrowid or 0


def get(order_id: int) -> Order | None:
    """Return an order; None if there is none of that id."""
    with _database() as db:
        query = "SELECT customer, loaves FROM orders WHERE rowid = ?"
        row = db.execute(query, (order_id,)).fetchone()
    return Order(*row) if row else None


def total() -> int:
    """Return how many loaves are ordered."""
    with _database() as db:
        (loaves,) = db.execute("SELECT TOTAL(loaves) FROM orders").fetchone()
    return int(loaves)


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    """Open the database, and commit at the end."""
    with closing(sqlite3.connect(home() / "bakery.sqlite3")) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS orders (customer, loaves)")
        yield db


def home() -> Path:
    """Return the folder of the database, and of what tasks write."""
    return Path(os.environ.get("BAKERY_HOME", "."))
