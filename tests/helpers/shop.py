"""The package `shop` of the recipes, and the jobs that it puts."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import greenstalk

from tests.helpers.pages import write_page
from tests.helpers.servers import Beanstalkd

PAGES = (
    "index",
    "transactions",
    "fastapi",
    "flask",
    "gunicorn",
    "opentelemetry",
    "sentry",
)


class Shop:
    """The package `shop`, written from the recipes into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for page in PAGES:
            write_page(f"recipes/{page}", folder)

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"shop.{name}")


def count(broker: Beanstalkd) -> int:
    return broker.counts("receipts").get("ready", 0)


def take(broker: Beanstalkd) -> dict[int, int]:
    """Take all jobs from the broker; return the id of the order of each, by job id."""
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
